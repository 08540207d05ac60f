"""One running Airflow for all end-to-end tests: the same stack that `make up` starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ops import backfill, stack
from ops.rest import Airflow
from tasks.ledger import Ledger

START = datetime(2026, 1, 1, tzinfo=UTC)  # the first row
ACCEPTED = START + timedelta(days=8)  # the first champion is trained on what is before
SHIFT = START + timedelta(days=14)  # from here on the labels follow another rule
DAY = timedelta(days=1)
ORDERS = ("forwards", "backwards", "twice", "half_again")
ASKING = ("asking", "hasty")


@dataclass(frozen=True)
class Running:
    """The stack, and clients of it as the operator and as the approver."""

    home: Path
    settings: stack.Settings
    operator: Airflow
    approver: Airflow

    @property
    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.home / 'ledger.db'}")

    def backfill(self, first: datetime, last: datetime, plans: dict[str, tuple[str, ...]]) -> None:
        """Backfill the windows that start from `first` to `last`, each model with its options."""
        span = ("--from-date", first.isoformat(), "--to-date", last.isoformat())
        for model, options in plans.items():
            backfill.create(self.home, self.operator, f"monitor.{model}", *span, *options)
        for model in plans:
            found = partial(self._backfilled, f"monitor.{model}")
            self.operator.until(found, f"the backfill of {model}")

    def _backfilled(self, dag: str) -> bool:
        found = self.operator.call("GET", "backfills", params={"dag_id": dag})["backfills"]
        runs = [r for r in self.operator.runs(dag) if r["run_type"] == "backfill"]
        assert all(r["state"] != "failed" for r in runs), runs
        return bool(found) and all(b["completed_at"] for b in found)

    def bootstrap(self, model: str) -> str:
        """Train the first champion of a model; return the run's id."""
        conf = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
        return self.operator.trigger(f"retrain.{model}", {"conf": conf})

    def window(self, model: str, start: datetime, **conf: Any) -> str:
        """Run the monitor of one window and wait for it; return the run's state."""
        dag = f"monitor.{model}"
        run = self.operator.trigger(dag, {"conf": {"window": start.isoformat(), **conf}})
        return self.operator.finished(dag, run)

    def answer(self, model: str, run: str, step: str, option: str, comment: str) -> None:
        """Answer an approval of a retrain run over REST, until the ledger has the answer."""
        self.approver.answer(self.asked(model, run, step), option, {"comment": comment})
        self.operator.until(
            partial(self.recorded, model, run, step), f"the answer to {step} of {run}"
        )

    def recorded(self, model: str, run: str, step: str) -> bool:
        """Return whether the ledger has a decision on a step of a proposal."""
        return any((d.proposal, d.step) == (run, step) for d in self.ledger.decisions(model))

    def asked(self, model: str, run: str, step: str) -> dict[str, Any]:
        """Wait for an approval of a retrain run and return it."""

        def find() -> dict[str, Any] | None:
            waiting = self.operator.waiting(f"retrain.{model}")
            wanted = (run, f"approve_{step}")
            tasks = [
                (d["task_instance"]["dag_run_id"], d["task_instance"]["task_id"]) for d in waiting
            ]
            return waiting[tasks.index(wanted)] if wanted in tasks else None

        return self.operator.until(find, f"approve_{step} of {run}")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start Airflow and MLflow with the models of these tests; stop them at the end."""
    home = tmp_path_factory.mktemp("stack")
    models = home / "models"
    models.mkdir()
    land(home / "landing")
    for name in ORDERS:
        write_spec(models, home, name, approval="automatic")
    for name in ASKING:
        write_spec(models, home, name, approval="human")
    write_spec(models, home, "shadowed", approval="automatic", shadow={"windows": 2})
    (models / "broken.yaml").write_text("model: broken\ndrift: {ks: {efect: 0.1}}\n")
    settings = stack.settings_of(home, models)
    try:
        stack.start(home, settings)
        clients = [
            Airflow(settings.airflow_url, user, settings.passwords[user])
            for user in (stack.OPERATOR, stack.APPROVER)
        ]
        names = (*ORDERS, *ASKING, "shadowed")
        clients[0].wait_for_dags([f"retrain.{name}" for name in names])
        yield Running(home, settings, *clients)
        for client in clients:
            client.close()
    finally:
        stack.stop(home)


def land(folder: Path, days: int = 20, rows: int = 400) -> None:
    """Write one Parquet file a day: two features, and a label whose rule flips at SHIFT."""
    rng = np.random.default_rng(3)
    for day in range(days):
        start = START + day * DAY
        x, z = rng.normal(size=(2, rows))
        sign = -1 if start >= SHIFT else 1
        y = (sign * x + 0.5 * z + 0.3 * rng.normal(size=rows) > 0).astype(np.int8)
        seconds = np.sort(rng.integers(0, 86_400, rows))
        columns = {
            "time": pa.array([start + timedelta(seconds=int(s)) for s in seconds]),
            "id": pa.array(day * rows + np.arange(rows)),
            "x": pa.array(x),
            "z": pa.array(z),
            "y": pa.array(y),
        }
        target = folder / f"date={start:%Y-%m-%d}" / "part-0.parquet"
        target.parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), target)


def write_spec(models: Path, home: Path, name: str, approval: str, **parts: Any) -> None:
    """Write a model spec over the landed data; keywords are further parts of it."""
    spec = {
        "model": name,
        "owner": {"name": "team", "approvers": [stack.APPROVER]},
        "source": {"path": f"{home}/landing/date={{date}}/*.parquet", "time": "time", "key": "id"},
        "window": {"every": "1d", "start": START.date(), "end": (START + 20 * DAY).date()},
        "features": {"numeric": ["x", "z"]},
        "label": {"column": "y", "classes": [0, 1]},
        "drift": {"ks": {"effect": 0.2}, "hinge_loss": {"effect": 0.2}},
        "latch": {"rest": "1d"},
        "training": {"window": "2d"},
        "approval": {"retrain": approval, "promote": approval},
        **parts,
    }
    (models / f"{name}.yaml").write_text(yaml.safe_dump(spec))

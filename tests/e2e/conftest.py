"""One running Airflow for all end-to-end tests: the same stack that `make up` starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from ops import backfill, stack, stack_processes, stack_settings
from ops.rest import Airflow
from tasks.__main__ import app
from tasks.flows import retrain
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion, proposals
from tasks.registry import registry, tracking
from tasks.spec.model import ModelSpec
from tasks.spec.spec_files import load_spec
from tests.support.flow import answer
from tests.support.sink import Sink, sink

from . import logged, traced
from .browser import operators_page as operators_page
from .browser import page as page
from .landed import (
    ACCEPTED,
    ASKING,
    CANARIES,
    HANDED,
    LANDING,
    LETHAL,
    ORDERS,
    PLAYED,
    REVIEWED,
    SHARED,
    land,
    write_specs,
)


@dataclass(frozen=True)
class Running:
    """The stack, clients of it as the operator and as the approver, and where messages go."""

    home: Path
    settings: stack_settings.Settings
    operator: Airflow
    approver: Airflow
    webhook: Sink

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

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this process see the ledger, store, keys and MLflow, and write, as the tasks do."""
        with ExitStack() as undo:
            patch = undo.enter_context(pytest.MonkeyPatch.context())
            undo.callback(os.umask, os.umask(stack.UMASK))
            for name, value in stack_settings.environment(self.home, self.settings).items():
                if name.startswith(("GATELATCH_", "MLFLOW_")):
                    patch.setenv(name, value)
            for cached in (tracking.connect, registry.load_version):
                cached.cache_clear()
            yield
        for cached in (tracking.connect, registry.load_version):
            cached.cache_clear()

    def spec(self, model: str) -> ModelSpec:
        return load_spec(self.home / "models" / f"{model}.yaml")

    def status(self, model: str) -> status.Status:
        return status.read(self.spec(model), self.ledger)

    def accept(self, model: str, name: str, until: datetime, span: timedelta) -> None:
        """Make a champion by what the tasks of a retrain call, in seconds: for what comes after."""
        spec, asked = self.spec(model), {"reason": "bootstrap", "proposer": "otto", "now": until}
        with self.inside():
            proposals.propose(spec, name, training_window=span, until=until, **asked)
            decisions.decide(spec, name, "retrain", answer())
            run = retrain.train(spec, name)["candidate_run"]
            retrain.calibrate(spec, name, run)
            assert retrain.gate(spec, name, run)["passed"]
            retrain.register(spec, name, run)
            decisions.decide(spec, name, "promote", answer())
            promotion.promote(spec, name)

    def alias(self, model: str) -> int:
        """Return the version that MLflow calls champion."""
        url = f"{self.settings.mlflow_url}/api/2.0/mlflow/registered-models/alias"
        found = httpx.get(url, params={"name": model, "alias": "champion"}).raise_for_status()
        return int(found.json()["model_version"]["version"])

    def verify(self, model: str) -> None:
        """Verify a model's chain as an auditor does, against the heads that MLflow keeps."""
        with self.inside():
            done = CliRunner().invoke(app, ["audit", model, "--verify"])
        assert done.exit_code == 0, done.output
        kept = len(self.ledger.promotions(model)) + 1  # one with each in MLflow, one in the store
        assert f"against {kept} kept heads" in done.stdout

    def windows(self, model: str, *starts: datetime) -> None:
        """Run the monitor of several windows at once and wait for all of them."""
        dag = f"monitor.{model}"
        confs = [{"conf": {"window": start.isoformat()}} for start in starts]
        runs = [self.operator.trigger(dag, conf) for conf in confs]
        assert {self.operator.finished(dag, run) for run in runs} == {"success"}

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

    def dag(self, model: str, step: str) -> str:
        """Return the DAG that asks about a step."""
        return f"{'rollback' if step == 'rollback' else 'retrain'}.{model}"

    def asked(self, model: str, run: str, step: str) -> dict[str, Any]:
        """Wait for an approval of a run and return it."""

        def find() -> dict[str, Any] | None:
            waiting = self.operator.waiting(self.dag(model, step))
            wanted = (run, f"approve_{step}")
            tasks = [
                (d["task_instance"]["dag_run_id"], d["task_instance"]["task_id"]) for d in waiting
            ]
            return waiting[tasks.index(wanted)] if wanted in tasks else None

        return self.operator.until(find, f"approve_{step} of {run}")


@pytest.fixture(scope="session")
def webhook() -> Iterator[Sink]:
    """Return where the messages about the models of these tests go."""
    with sink() as here:
        yield here


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, webhook: Sink) -> Iterator[Running]:
    """Start Airflow and MLflow with the models of these tests; stop them at the end."""
    home = tmp_path_factory.mktemp("stack")
    channels = home / "channels.yaml"
    channels.write_text(f'owners: "{webhook.url}"\n')
    models = home / "models"
    models.mkdir()
    land(home / "landing")
    land(home / "mortal")  # rows that a test takes away
    land(home / LETHAL)
    write_specs(models, home)
    traced.land(home)
    traced.write_specs(models, home)
    logged.write(models, home)
    settings = stack_settings.settings_of(home, models)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GATELATCH_CHANNELS", str(channels))
            patch.setenv(traced.DATABASE, traced.ADDRESS)
            patch.setenv(logged.BUNDLES, logged.bundles(home))
            stack.start(home, settings)
        clients = [
            Airflow(settings.airflow_url, user, settings.passwords[user])
            for user in (stack_settings.OPERATOR, stack_settings.APPROVER)
        ]
        names = (
            *ORDERS,
            *ASKING,
            "mortal",
            LETHAL,
            "looked_at",
            *traced.MODELS,
            logged.MODEL,
            "told",
            "held",
            "shadowed",
            "unsure",
            *CANARIES,
            SHARED,
            REVIEWED,
            HANDED,
            *LANDING,
            *PLAYED,
        )
        clients[0].wait_for_dags([logged.OWNERS, *(f"retrain.{name}" for name in names)])
        # While the first task of all starts, Airflow on SQLite may answer nobody for seconds.
        clients[0].until(
            lambda: [r for r in clients[0].runs("gatelatch.notices") if r["end_date"]],
            "the first look at what is due",
        )
        yield Running(home, settings, *clients, webhook)
        for client in clients:
            client.close()
    finally:
        stack_processes.stop(home)

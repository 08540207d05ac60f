"""The flow that the flow tests share, played once: a known linear rule that turns round one day."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.flows import asking, monitor, retrain
from tasks.flows.measure import measure
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation, Promotion
from tasks.ledger.status_json import status_json
from tasks.promotion import decisions, promotion, proposals
from tasks.registry import registry, tracking
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

SPEC: dict[str, Any] = {
    "model": "churn",
    "owner": {"name": "team", "approvers": ["ada", "grace"]},
    "source": {"path": "data/{date}.parquet", "time": "time", "key": "id"},
    "window": {"every": "1d", "start": "2026-01-01", "min_rows": 50},
    "features": {"numeric": ["x", "z"]},
    "label": {"column": "y", "classes": [0, 1]},
    "expectations": [
        {"type": "expect_column_values_to_be_between", "column": "x", "max_value": 100}
    ],
    "latch": {"open": {"breaches": 2, "of": 3}, "wait": 2, "rest": "2d"},
    "training": {"window": "2d"},
}
MODEL = ModelSpec.model_validate(SPEC)
STAGES = ("bootstrapped", "drifted", "registered", "promoted")
EPISODE = "churn.v1.20260109T0000"  # labels turn round on the 9th
FIRST = f"{EPISODE}.1"
MARKER = "marker"  # stands in every key
OUTLIER, STRANGE = 987654.25, 31415926  # a feature and a label to quarantine


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


def window(number: int) -> Window:
    return Window(day(number), day(number + 1))


def rows(number: int, count: int = 300) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    x, z = rng.normal(size=(2, count))
    truth = (x + 0.5 * z + rng.normal(scale=0.6, size=count) > 0) ^ (number >= 9)
    times = [day(number) + timedelta(days=1) * i / count for i in range(count)]
    keys = [f"{MARKER}-{number}-{i}" for i in range(count)]
    return {"time": times, "id": keys, "x": x, "z": z, "y": truth.astype(int)}


def file(number: int) -> Path:
    return Path(f"data/{day(number):%Y-%m-%d}.parquet")


def land(number: int, **columns: Any) -> None:
    table = pa.table({k: v for k, v in {**rows(number), **columns}.items() if v is not None})
    pq.write_table(table, file(number))


def watch(number: int, version: int | None = None) -> Observation:
    validated = monitor.validate(MODEL, window(number), version=version)
    return monitor.judge(MODEL, window(number), measure(MODEL, window(number), validated))


def answer(by: str | None = "ada", option: str = "Approve") -> dict[str, Any]:
    return {"chosen_options": [option], "responded_by_user": by and {"id": by, "name": by}}


def propose(name: str = FIRST, **parts: Any) -> dict[str, str]:
    spec = parts.pop("spec", MODEL)
    asked = proposals.propose(
        spec,
        name,
        **{
            "reason": "drift",
            "proposer": "otto",
            "training_window": None,
            "until": None,
            "now": day(20),
            "by_monitor": proposals.reserved(spec, name),
            **parts,
        },
    )
    return asking.to_retrain(spec, asked, "/dags/here")


def gate(name: str) -> tuple[str, dict[str, Any]]:
    decisions.decide(MODEL, name, "retrain", answer())
    run = retrain.train(MODEL, name)["candidate_run"]
    retrain.calibrate(MODEL, name, run)
    return run, retrain.gate(MODEL, name, run)


def register(name: str) -> str:
    run, result = gate(name)
    assert result["passed"], result
    retrain.register(MODEL, name, run)
    return run


def promote(name: str) -> Promotion:
    asking.to_promote(MODEL, name, "/dags/here")
    decisions.decide(MODEL, name, "promote", answer())
    return promotion.promote(MODEL, name)


def read() -> status.Status:
    return status.read(MODEL, Ledger.open())


def told() -> dict[str, Any]:
    return status_json(read())


def alias() -> int:
    return int(tracking.connect().get_model_version_by_alias("churn", "champion").version)


def enter(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    patch.setenv("GATELATCH_LEDGER", f"sqlite:///{folder / 'ledger.db'}")
    patch.setenv("GATELATCH_STORE", str(folder / "store"))
    patch.setenv("GATELATCH_ARTIFACTS", str(folder.parent / "artifacts"))
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    patch.setenv("GATELATCH_MLFLOW_UI", "https://mlflow.example/ui/")
    tracking.connect.cache_clear()
    registry.load_version.cache_clear()


def play(root: Path) -> None:
    """Play the flow in `root`; keep a copy of all stores at each stage."""
    now = root / "now"
    (now / "data").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, now)
        tracking.prepare_store()
        for number in range(1, 15):
            land(number)
        for stage in STAGES:
            if stage == "bootstrapped":
                span = {"training_window": timedelta(days=5), "until": day(6)}
                propose("boot", **span)
                register("boot")
                promote("boot")
            elif stage == "drifted":
                for number in range(6, 11):
                    watch(number)
            elif stage == "registered":
                propose()
                register(FIRST)
            else:
                promote(FIRST)
            shutil.copytree(now, root / stage)


At = Callable[[str], None]


def beginning(stages: Path, stores: Path, patch: pytest.MonkeyPatch) -> At:
    """Return what begins a test at one of STAGES, in stores of its own."""
    if not (stages / STAGES[-1]).exists():
        shutil.rmtree(stages, ignore_errors=True)
        play(stages)

    def begin(stage: str) -> None:
        # A folder of its own each time: the ledger of an earlier beginning is still open.
        place = stores / f"{stage}-{len(list(stores.glob('*')))}"
        shutil.copytree(stages / stage, place)
        enter(patch, place)

    return begin

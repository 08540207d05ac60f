"""A model that nobody sees here: production logs its margins, under a name for each version."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.flows import asking, monitor, ready, retrain
from tasks.flows.handed_margins import keep_margins
from tasks.flows.measure import measure
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposal_reason import ProposalReason
from tasks.registry import tracking
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.flow import SPEC, At, answer, day, rows, window

RAW: dict[str, Any] = {
    **{name: part for name, part in SPEC.items() if name not in ("features", "expectations")},
    "source": {**SPEC["source"], "margin": "score", "version_column": "served_by"},
    "training": {"window": "2d", "estimator": "margins_only"},
}
LOGGED = ModelSpec.model_validate(RAW)
SIGNS = {"trees-1": 1.0, "trees-2": -1.0}  # each version follows the rule, or the turned one


def margins(number: int, name: str) -> Any:
    """Return what a version says of a day's rows; nobody here knows how."""
    day = rows(number)
    return SIGNS[name] * (np.tanh(day["x"]) + 0.4 * day["z"])


def land(number: int, name: str = "trees-1", **columns: Any) -> None:
    """Write a day's rows as production logs them: no feature."""
    day = rows(number)
    logged = {n: day[n] for n in ("time", "id", "y")}
    logged |= {"score": margins(number, name), "served_by": [name] * len(day["id"]), **columns}
    Path("data").mkdir(exist_ok=True)
    path = f"data/{day['time'][0]:%Y-%m-%d}.parquet"
    pq.write_table(pa.table({n: c for n, c in logged.items() if c is not None}), path)


def handed(name: str, *numbers: int) -> pd.DataFrame:
    """Return the keys of these days, and what a version says of their rows."""
    days = [(rows(number)["id"], margins(number, name)) for number in numbers]
    return pd.concat(pd.DataFrame({"id": keys, "score": said}) for keys, said in days)


def propose(
    digest: str | None,
    name: str,
    days: int = 2,
    until: int | None = None,
    action: Any = "adopt",
    spec: ModelSpec = LOGGED,
) -> dict[str, str]:
    asked = proposals.propose(
        spec,
        name,
        reason=str(ProposalReason(why="manual", file=digest)),
        proposer="otto",
        training_window=timedelta(days=days),
        until=None if until is None else day(until),
        now=day(20),
        action=action,
    )
    return asking.to_retrain(spec, asked, "/dags/here", ready.count(spec, asked))


def gated(name: str, spec: ModelSpec = LOGGED) -> tuple[str, dict[str, Any]]:
    decisions.decide(spec, name, "retrain", answer())
    run = retrain.train(spec, name)["candidate_run"]
    retrain.calibrate(spec, name, run)
    return run, retrain.gate(spec, name, run)


def promoted(name: str, spec: ModelSpec = LOGGED) -> dict[str, str]:
    run, result = gated(name, spec)
    assert result["passed"], result["gates"]
    retrain.register(spec, name, run)
    shown = asking.to_promote(spec, name, "/dags/here")
    decisions.decide(spec, name, "promote", answer())
    promotion.promote(spec, name)
    return shown


def watch(number: int, spec: ModelSpec = LOGGED) -> Observation:
    validated = monitor.validate(spec, window(number))
    return monitor.judge(spec, window(number), measure(spec, window(number), validated))


def read() -> status.Status:
    return status.read(LOGGED, Ledger.open())


def begin(spec: ModelSpec = LOGGED) -> None:
    """Make what production logs as `trees-1` the first champion, of the first five days."""
    propose(keep_margins(spec, "trees-1"), "boot", days=5, until=6, spec=spec)
    promoted("boot", spec)


STAGES = ("landed", "bootstrapped", "drifted")


def beginning(stages: Path, stores: Path, patch: pytest.MonkeyPatch) -> At:
    """Return what begins a test at one of STAGES, in stores of its own."""
    if not (stages / STAGES[-1]).exists():
        shutil.rmtree(stages, ignore_errors=True)
        _play(stages)

    def at(stage: str) -> None:
        place = stores / f"{stage}-{len(list(stores.glob('*')))}"
        shutil.copytree(stages / stage, place)
        flow.enter(patch, place)

    return at


def _play(root: Path) -> None:
    now = root / "now"
    now.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        flow.enter(patch, now)
        tracking.prepare_store()
        for number in range(1, 15):
            land(number)
        shutil.copytree(now, root / STAGES[0])
        begin()
        shutil.copytree(now, root / STAGES[1])
        for number in range(6, 11):
            watch(number)
        shutil.copytree(now, root / STAGES[2])

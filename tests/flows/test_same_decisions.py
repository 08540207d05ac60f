"""For one stream of each kind the monitor, driven window by window, decides as a replay does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.classifier.training import TrainingError
from tasks.flows import ending, late_labels, monitor, ready, retrain, rollback
from tasks.flows.measure import measure
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion, proposals
from tasks.registry import tracking
from tasks.replay import past_rows, play
from tasks.spec.model import ModelSpec
from tests.support import flow, kinds
from tests.support.decided import Latches, in_ledger, in_replay
from tests.support.flow import day, window
from tests.support.kinds import BEFORE, KINDS

pytestmark = pytest.mark.filterwarnings("ignore:Liblinear failed to converge")

# What came of each retrain, and to which version it went back: that a kind shows what it is for.
SHOWN = {
    "abrupt": ([2], []),
    "short_outage": ([], []),
    "long_outage": ([2], [1]),
    "recurring": ([2], [1]),
    "minority": ([2], []),
    "label_noise": (["refused"] * 3, []),
    "late_class": ([2], []),
    "late_labels": ([2, 3], [1]),
    "spoilt": ([2], []),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One ledger, store and MLflow for all kinds, each of which is a model of its own."""
    folder = tmp_path_factory.mktemp("kinds") / "now"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        flow.enter(patch, folder)
        tracking.prepare_store()
        yield folder


def watched(name: str, spec: ModelSpec, place: Path) -> Latches:
    """Bootstrap and monitor a kind as its DAGs do; return the latch at each window's end."""
    kind, late = KINDS[name], spec.label.late
    wait = spec.label.delay // timedelta(days=1)
    for number in range(1, BEFORE + 1 - wait if late else 0):
        kinds.land_labels(name, kind, place, number)
    asked = {"reason": "bootstrap", "training_window": timedelta(days=BEFORE)}
    carry_out(spec, f"{name}.boot", proposer="otto", until=day(BEFORE + 1), **asked)
    latches: Latches = []
    for number in range(BEFORE + 1, kind.days + 1):
        if late:
            kinds.land_labels(name, kind, place, number - wait)
        measured = measure(spec, window(number), monitor.validate(spec, window(number)))
        monitor.judge(spec, window(number), measured)
        if late:
            late_labels.measure_again(spec, window(number))
        now = status.read(spec, Ledger.open()).history.now
        latches.append((now.state, now.episode))
        act(spec)
    return latches


def act(spec: ModelSpec) -> None:
    """Do what the monitor's run would start."""
    due = monitor.action(spec)
    if due is None or due.run is None:
        return
    proposal, conf = due.run.proposal, due.run.conf
    if due.run.flow == "rollback":
        rollback.propose_rollback(spec, proposal)
        decisions.decide(spec, proposal, "rollback", None)
        rollback.promote_back(spec, proposal)
        return
    asked = {"action": conf["action"], "reason": conf["reason"], "by_monitor": True}
    carry_out(spec, proposal, proposer="unknown", until=None, training_window=None, **asked)


def carry_out(spec: ModelSpec, proposal: str, **asked: object) -> None:
    """Carry out a retrain as its DAG does."""
    row = proposals.propose(spec, proposal, now=day(40), **asked)
    try:
        ready.count(spec, row)
        decisions.decide(spec, proposal, "retrain", None)
        run = retrain.train(spec, proposal)["candidate_run"]
        retrain.calibrate(spec, proposal, run)
        if not retrain.gate(spec, proposal, run)["passed"]:
            return
    except TrainingError as error:
        ending.end(spec, proposal, "the run", str(error))
        return
    retrain.register(spec, proposal, run)
    decisions.decide(spec, proposal, "promote", None)
    promotion.promote(spec, proposal)


@pytest.mark.parametrize("name", KINDS)
def test_a_replay_decides_as_the_monitor_does(name: str, place: Path) -> None:
    kind = KINDS[name]
    spec = ModelSpec.model_validate(kinds.spec_of(name, kind, place))
    kinds.land(name, kind, place)
    latches = watched(name, spec, place)
    if spec.label.late:  # what came after the newest window is in a later replay all the same
        for number in range(1, kind.days + 1):
            kinds.land_labels(name, kind, place, number)
    past = past_rows.load_history(spec, day(1), day(kind.days + 1))
    mine = play.play(spec, past, past.first_at(day(BEFORE + 1)), timedelta(days=BEFORE))
    there, here = in_ledger(spec, Ledger.open(), latches), in_replay(past, mine)
    assert here.windows == there.windows
    known = [[-1 if p is None else p for p in one.pressures] for one in (here, there)]
    assert known[0] == pytest.approx(known[1], rel=1e-9)
    assert here.latches == there.latches
    assert here.retrains == there.retrains
    assert here.rollbacks == there.rollbacks
    came_of = [r[2] if isinstance(r[2], int) else "refused" for r in here.retrains]
    assert (came_of, [r[2] for r in here.rollbacks]) == SHOWN[name]

"""For a stream of three kinds a running Airflow decides as a replay of the same rows does."""

from __future__ import annotations

import pytest

from tasks.replay import past_rows, play
from tests.support.decided import Decided, in_ledger, in_replay
from tests.support.flow import day
from tests.support.kinds import BEFORE

from .conftest import Running
from .landed import ACCEPTED, DAY, PLAYED


@pytest.fixture(scope="module")
def monitored(running: Running) -> None:
    """Monitor window by window, the models side by side; let what a window starts end first."""
    for name in PLAYED:
        running.accept(name, "first", ACCEPTED, BEFORE * DAY)
    for number in range(BEFORE + 1, max(kind.days for kind in PLAYED.values()) + 1):
        conf = {"conf": {"window": day(number).isoformat()}}
        names = [name for name, kind in PLAYED.items() if number <= kind.days]
        runs = {name: running.operator.trigger(f"monitor.{name}", conf) for name in names}
        for name, run in runs.items():
            assert running.operator.finished(f"monitor.{name}", run) == "success"
        for dag in (f"{flow}.{name}" for name in names for flow in ("retrain", "rollback")):
            for started in running.operator.runs(dag):
                assert running.operator.finished(dag, started["dag_run_id"]) == "success"


def decided(running: Running, name: str) -> Decided:
    """Return what the ledger has, after it was compared with a replay."""
    spec = running.spec(name)
    past = past_rows.load_history(spec, day(1), day(PLAYED[name].days + 1))
    played = play.play(spec, past, past.first_at(ACCEPTED), BEFORE * DAY)
    with running.inside():
        there = in_ledger(spec, running.ledger)
    here = in_replay(past, played)
    assert here.pressures == pytest.approx(there.pressures, rel=1e-9)
    assert (here.windows, here.latches) == (there.windows, there.latches)
    assert (here.retrains, here.rollbacks) == (there.retrains, there.rollbacks)
    return there


def test_an_abrupt_change_is_asked_about_after_the_wait_and_promoted(
    running: Running, monitored: None
) -> None:
    ((asked, episode, version, _),) = decided(running, "abrupt").retrains
    assert (asked, episode, version) == (day(12), f"abrupt.v1.{day(9):%Y%m%dT%H%M}", 2)
    assert running.alias("abrupt") == 2


def test_after_an_outage_it_goes_back_to_the_champion_before_it(
    running: Running, monitored: None
) -> None:
    found = decided(running, "outage")
    assert [r[2] for r in found.retrains] == [2]
    assert [r[:3] for r in found.rollbacks] == [(day(13), 2, 1)]
    assert found.windows[-1] == (day(13), 1, "steady")
    assert running.alias("outage") == 1


def test_what_the_gates_refused_is_asked_again_after_the_rest(
    running: Running, monitored: None
) -> None:
    found = decided(running, "noisy")
    assert [r[0] for r in found.retrains] == [day(12), day(14)]
    assert all("hinge loss (at most 0.5" in str(r[2]) for r in found.retrains)
    assert running.alias("noisy") == 1

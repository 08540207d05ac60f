"""Runs that die in a running Airflow: each end is said, and the episode is asked about again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tasks.flows import ending
from tasks.ledger.records import Decision

from .conftest import Running
from .landed import ACCEPTED, DAY, SHIFT

MODEL = "mortal"
MONITOR, RETRAIN = f"monitor.{MODEL}", f"retrain.{MODEL}"
EPISODE = f"{MODEL}.v1.{SHIFT:%Y%m%dT%H%M}"


def end_of(running: Running, proposal: str) -> Decision:
    (mine,) = [
        d for d in running.ledger.decisions(MODEL) if (d.proposal, d.answer) == (proposal, "ended")
    ]
    return mine


def states(running: Running, dag: str, run: str) -> dict[str, str]:
    found = running.operator.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")
    return {t["task_id"]: t["state"] for t in found["task_instances"]}


def monitored(running: Running, window: int) -> str:
    """Run the monitor of the n-th window from SHIFT on; return the state of its last task."""
    conf = {"conf": {"window": (SHIFT + window * DAY).isoformat()}}
    run = running.operator.trigger(MONITOR, conf)
    running.operator.finished(MONITOR, run)
    return states(running, MONITOR, run)["propose"]


@pytest.fixture(scope="module")
def squatted(running: Running) -> None:
    """A first champion, and a run that took the name of its first episode's first proposal."""
    running.accept(MODEL, "first", ACCEPTED, 8 * DAY)
    run = running.operator.trigger(RETRAIN, {"dag_run_id": f"{EPISODE}.1"})
    assert running.operator.finished(RETRAIN, run) == "failed"


def test_where_the_dag_that_asks_is_paused_the_monitor_fails_and_says_so(
    running: Running, squatted: None
) -> None:
    assert monitored(running, 0) == "skipped"
    with running.operator.paused(RETRAIN):
        assert monitored(running, 1) == "failed"
    assert running.status(MODEL).due == f"{EPISODE}.1"


def test_a_name_of_the_monitors_is_refused_to_people_and_the_episode_is_asked_about_all_the_same(
    running: Running, squatted: None
) -> None:
    assert [p.proposal for p in running.ledger.proposals(MODEL)] == ["first"]
    assert monitored(running, 1) == "success"
    running.asked(MODEL, f"{EPISODE}.2", "retrain")


def test_a_run_that_was_deleted_is_noticed_and_said(running: Running, squatted: None) -> None:
    path = f"dags/{RETRAIN}/dagRuns/{EPISODE}.2"
    running.operator.call("PATCH", path, json={"state": "failed"})  # else it cannot be deleted
    running.operator.call("DELETE", path)
    # It has just begun, so for a quarter of an hour it is given the benefit of the doubt.
    assert monitored(running, 1) == "skipped"
    assert [p.proposal for p in running.status(MODEL).live] == [f"{EPISODE}.2"]
    with running.inside():
        later = datetime.now(UTC) + timedelta(hours=1)
        (told,) = ending.notice(running.spec(MODEL), lambda dag, run: "gone", later)
    assert "is gone: it was deleted, or died" in told
    assert monitored(running, 1) == "failed"  # the latch is open, and nobody is asked yet
    assert monitored(running, 2) == "success"
    running.asked(MODEL, f"{EPISODE}.3", "retrain")


def test_a_run_that_was_marked_as_failed_is_noticed_by_the_next_one_of_the_monitor(
    running: Running, squatted: None
) -> None:
    third = f"{EPISODE}.3"
    asked = running.asked(MODEL, third, "retrain")["task_instance"]
    running.operator.call("PATCH", f"dags/{RETRAIN}/dagRuns/{third}", json={"state": "failed"})
    assert monitored(running, 2) == "failed"
    assert "is over, and decided nothing" in end_of(running, third).comment
    path = f"dags/{RETRAIN}/dagRuns/{third}/taskInstances/{asked['task_id']}/-1/hitlDetails"
    body = {"chosen_options": ["Approve"], "params_input": {"comment": "yes"}}
    with pytest.raises(httpx.HTTPStatusError, match="409"):  # nothing comes of an answer any more
        running.approver.call("PATCH", path, json=body)
    assert not running.recorded(MODEL, third, "retrain")


def test_rows_that_went_after_the_approval_end_the_proposal_with_the_reason(
    running: Running, squatted: None
) -> None:
    assert [monitored(running, k) for k in (3, 4)] == ["failed", "success"]  # after two windows
    fourth = f"{EPISODE}.4"
    running.asked(MODEL, fourth, "retrain")
    for k in (3, 4):
        day = running.home / "mortal" / f"date={SHIFT + k * DAY:%Y-%m-%d}"
        day.rename(day.with_name(f"gone-{k}"))
    running.answer(MODEL, fourth, "retrain", "Approve", "go")
    assert running.operator.finished(RETRAIN, fourth) == "failed"
    said = end_of(running, fourth)
    assert (said.step, said.by) == ("run", RETRAIN)
    assert "train: " in said.comment
    assert "holds no row" in said.comment
    assert states(running, RETRAIN, fourth)["end"] == "failed"


def test_a_person_can_ask_beside_an_episode_and_silences_nothing(
    running: Running, squatted: None
) -> None:
    conf = {"training_window": "2d", "until": (SHIFT + 2 * DAY).isoformat()}
    run = running.operator.trigger(RETRAIN, {"conf": conf})
    running.answer(MODEL, run, "retrain", "Reject", "only a look")
    assert running.operator.finished(RETRAIN, run) == "success"
    known = running.status(MODEL)
    assert (known.history.now.state, known.live) == ("open", [])
    assert known.silence is not None  # three in a row: after four windows

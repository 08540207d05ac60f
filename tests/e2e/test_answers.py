"""Answers to a running Airflow: none is lost, none is asked for twice, none changes afterwards."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest

from tasks.ledger.records import Decision

from .conftest import Running
from .landed import ACCEPTED

MODEL = "hasty"
DAG = f"retrain.{MODEL}"
AT_ONCE = 6  # answered at 0 s: without what keeps them, most of these were lost


def propose(running: Running) -> str:
    """Ask for a first champion, and never train it."""
    conf = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    return running.operator.trigger(DAG, {"conf": conf})


def decision(running: Running, run: str) -> Decision:
    (mine,) = [d for d in running.ledger.decisions(MODEL) if d.proposal == run]
    return mine


@pytest.fixture(scope="module")
def rejected(running: Running) -> str:
    """A proposal that was rejected."""
    run = propose(running)
    running.answer(MODEL, run, "retrain", "Reject", "not this one")
    assert running.operator.finished(DAG, run) == "success"
    return run


def test_an_answer_at_the_moment_of_the_question_is_kept_and_nobody_is_asked_twice(
    running: Running,
) -> None:
    runs = [propose(running) for _ in range(AT_ONCE)]
    answered: Counter[str] = Counter()

    def all_ended() -> bool:
        # Not only those that wait: also those whose task has not even parked yet.
        path = f"dags/{DAG}/dagRuns/~/hitlDetails"
        asked = running.approver.call("GET", path, params={"response_received": False})
        for detail in asked["hitl_details"]:
            running.approver.answer(detail, "Reject", {"comment": "at once"})
            answered[detail["task_instance"]["dag_run_id"]] += 1
        states = {r["dag_run_id"]: r["state"] for r in running.operator.runs(DAG)}
        return all(states[run] in ("success", "failed") for run in runs)

    running.operator.until(all_ended, "every proposal to end", 400)
    assert answered == dict.fromkeys(runs, 1)
    assert {decision(running, run).comment for run in runs} == {"at once"}
    assert {running.operator.state(DAG, run) for run in runs} == {"success"}


def test_a_cleared_approval_neither_asks_again_nor_changes_the_decision(
    running: Running, rejected: str
) -> None:
    before = decision(running, rejected)
    running.operator.clear(DAG, rejected, "approve_retrain", downstream=True)
    assert running.operator.finished(DAG, rejected) == "success"
    assert running.operator.waiting(DAG) == []
    assert decision(running, rejected) == before
    tasks = running.operator.call("GET", f"dags/{DAG}/dagRuns/{rejected}/taskInstances")
    states = {t["task_id"]: t["state"] for t in tasks["task_instances"]}
    assert (states["approve_retrain"], states["train"]) == ("success", "skipped")


def test_an_approval_marked_as_done_by_hand_is_nobodys_answer(running: Running) -> None:
    run = propose(running)
    running.asked(MODEL, run, "retrain")
    path = f"dags/{DAG}/dagRuns/{run}/taskInstances/approve_retrain"
    running.operator.call("PATCH", path, json={"new_state": "success"})
    assert running.operator.finished(DAG, run) == "failed"
    assert decision(running, run).answer == "ended"


def test_who_may_not_answer_is_turned_away_and_the_question_stays(running: Running) -> None:
    run = propose(running)
    asked = running.asked(MODEL, run, "retrain")
    assert [user["id"] for user in asked["assigned_users"]] == ["ada"]
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        running.operator.answer(asked, "Approve", {"comment": "me"})
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        running.approver.answer(asked, "Reject", {"comment": "\u200b"})
    assert not running.recorded(MODEL, run, "retrain")
    running.approver.answer(asked, "Reject", {})
    assert running.operator.finished(DAG, run) == "success"
    assert decision(running, run).comment == "no reason given"


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ({"comment": {"not": ["text"]}, "more": 1}, '{"not": ["text"]}'),
        ({"comment": "<script>alert(1)</script>" + "x" * 50_000}, "<script>alert(1)</script>xx"),
    ],
)
def test_whatever_the_form_holds_the_answer_is_kept(
    running: Running, form: dict[str, Any], kept: str
) -> None:
    run = propose(running)
    running.approver.answer(running.asked(MODEL, run, "retrain"), "Reject", form)
    running.operator.until(partial(running.recorded, MODEL, run, "retrain"), "the answer")
    assert running.operator.finished(DAG, run) == "success"
    told = decision(running, run)
    assert told.answer == "rejected"
    assert told.comment.startswith(kept)

"""A frozen model in a running Airflow: its promotion waits, no retry is used up, and goes on."""

from __future__ import annotations

from typing import Any

from tasks.ledger.records import FreezeState
from tasks.promotion import freezing

from .conftest import Running

MODEL = "held"
DAG = f"retrain.{MODEL}"


def record(running: Running, state: FreezeState) -> None:
    with running.inside():
        freezing.record(running.ledger, [MODEL], state, by="grace", reason="the source is repaired")


def task(running: Running, run: str, name: str) -> Any:
    return running.operator.call("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances/{name}")


def log(running: Running, run: str, name: str) -> str:
    return str(
        running.operator.call("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances/{name}/logs/1")
    )


def test_a_promotion_waits_for_the_thaw_and_a_person_who_proposes_meanwhile_is_told(
    running: Running,
) -> None:
    run = running.bootstrap(MODEL)
    running.operator.until(lambda: running.ledger.proposals(MODEL), "the proposal", 300)
    record(running, "frozen")

    def waits() -> bool:
        return bool(task(running, run, "promote")["state"] == "up_for_reschedule")

    running.operator.until(waits, "the promotion to wait", 300)
    assert running.ledger.promotions(MODEL) == []
    assert "held is frozen by grace since" in log(running, run, "promote")

    second = running.bootstrap(MODEL)
    assert running.operator.finished(DAG, second) == "failed"
    refused = task(running, second, "propose")
    assert (refused["state"], refused["try_number"]) == ("failed", 1)
    assert "python -m tasks thaw held" in log(running, second, "propose")
    assert [p.proposal for p in running.ledger.proposals(MODEL)] == [run]

    record(running, "thawed")
    assert running.operator.finished(DAG, run) == "success"
    assert [p.proposal for p in running.ledger.promotions(MODEL)] == [run]
    assert task(running, run, "promote")["try_number"] == 1
    assert running.alias(MODEL) == 1
    running.verify(MODEL)

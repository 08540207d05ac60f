"""A candidate in shadow, in a running Airflow: it waits in no slot, then goes on."""

from __future__ import annotations

from functools import partial

from .conftest import Running
from .landed import ACCEPTED, DAY, SHIFT

MODEL = "shadowed"
DAG = f"retrain.{MODEL}"


def state(running: Running, run: str, task: str) -> str | None:
    path = f"dags/{DAG}/dagRuns/{run}/taskInstances/{task}"
    found = running.operator.call("GET", path)["state"]
    return None if found is None else str(found)


def test_a_candidate_is_promoted_only_after_windows_beside_the_champion(running: Running) -> None:
    first = running.bootstrap(MODEL)
    assert running.operator.finished(DAG, first) == "success"
    until = SHIFT + 2 * DAY
    conf = {"reason": "manual", "until": until.isoformat()}
    run = running.operator.trigger(DAG, {"conf": conf})

    def waits() -> bool:
        return state(running, run, "shadow") == "up_for_reschedule"

    running.operator.until(waits, "the shadow to wait", 300)
    assert running.window(MODEL, ACCEPTED) == "success"  # before its rows end: does not count
    for start in (until, until + DAY):
        assert running.window(MODEL, start) == "success"
    history = sorted(running.ledger.history(MODEL), key=lambda o: (o.window, o.version))
    seen = [(o.version, o.verdict) for o in history]
    assert seen == [(1, "steady"), *[(1, "drifting"), (2, "steady")] * 2]
    assert [p.version for p in running.ledger.promotions(MODEL)] == [1]

    # Its next look is minutes away; whoever clears the task looks at once.
    running.operator.clear(DAG, run, "shadow")
    assert running.operator.finished(DAG, run) == "success"
    assert [p.version for p in running.ledger.promotions(MODEL)] == [1, 2]
    said = [d for d in running.ledger.decisions(MODEL) if d.proposal == run and d.step == "shadow"]
    assert [d.answer for d in said] == ["passed"]
    running.operator.until(partial(running.recorded, MODEL, run, "promote"), "the decision")

"""Who is asked is told, by a running Airflow: at once, and once."""

from __future__ import annotations

import time
from functools import partial

from .conftest import Running

MODEL = "told"
NOTICES = "gatelatch.notices"
AT_ONCE = 60.0  # seconds, on a machine that does other things too


def _looks(running: Running) -> list[str]:
    """Return the runs that tell people and that a task started, of those that are over."""
    runs = [r for r in running.operator.runs(NOTICES) if r["run_type"] == "asset_triggered"]
    return [r["dag_run_id"] for r in runs if r["state"] == "success"]


def test_who_is_asked_is_told_within_a_minute_and_a_cleared_task_tells_nobody_again(
    running: Running,
) -> None:
    run = running.bootstrap(MODEL)
    running.asked(MODEL, run, "retrain")
    asked = time.monotonic()
    running.operator.until(lambda: running.webhook.got, "a message")
    assert time.monotonic() - asked < AT_ONCE
    (message,) = running.webhook.got
    assert message["title"] == f"[ticket] {MODEL}: you are asked to train the first champion"
    link = message["message"].splitlines()[-3]
    assert link.startswith(f"{running.settings.airflow_url}/dags/retrain.{MODEL}/runs/")
    before = _looks(running)
    running.operator.clear(f"retrain.{MODEL}", run, "propose")
    running.operator.until(lambda: set(_looks(running)) - set(before), "another look")
    assert len(running.webhook.got) == 1
    running.answer(MODEL, run, "retrain", "Reject", "not yet")
    ended = partial(running.operator.finished, f"retrain.{MODEL}")
    assert ended(run) == "success"
    assert len(running.webhook.got) == 1  # a person chose it, and who chose knows

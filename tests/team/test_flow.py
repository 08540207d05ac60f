"""The demo's flow on the team's services: drift, a person in a browser, a new champion."""

from __future__ import annotations

import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.landed import ACCEPTED, DAY, SHIFT

from .conftest import Team

pytestmark = pytest.mark.timeout(1200)  # the first one starts all services

RETRAIN, MONITOR = "retrain.churn", "monitor.churn"
# Prints model, start and number of observations of each window that starts until then.
RECORDED = """
import json, sys
from collections import Counter
from datetime import datetime
import sqlalchemy as sa
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import OBSERVATIONS as o
until = datetime.fromisoformat(sys.argv[1])
with Ledger.open()._engine.connect() as link:
    rows = link.execute(sa.select(o.c.model, o.c.window_start)).all()
found = Counter((model, start) for model, start in rows if start <= until)
print(json.dumps([[model, start.isoformat(), n] for (model, start), n in found.items()]))
"""
# Takes the next message out of the queue, and prints it.
TAKE_ONE = "REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli BRPOP default 60"
PROPOSAL = f"churn.v1.{SHIFT:%Y%m%dT%H%M}.1"


@pytest.fixture(scope="module")
def champion(team: Team) -> str:
    """Train and accept the first champion; return the run's id."""
    conf = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    run = team.people["otto"].trigger(RETRAIN, {"conf": conf})
    for step in ("retrain", "promote"):
        team.people["ada"].answer(team.asked(RETRAIN, run, step), "Approve", {"comment": "first"})
    assert team.people["otto"].finished(RETRAIN, run, 300) == "success"
    return run


@pytest.fixture(scope="module")
def proposal(team: Team, champion: str) -> str:
    """Run windows until the latch opens; return the proposal that waits."""
    otto = team.people["otto"]
    starts = (ACCEPTED, SHIFT, SHIFT + DAY)
    runs = [otto.trigger(MONITOR, {"conf": {"window": s.isoformat()}}) for s in starts]
    assert {otto.finished(MONITOR, run, 300) for run in runs} == {"success"}
    team.asked(RETRAIN, PROPOSAL, "retrain")
    return PROPOSAL


def test_people_see_the_models_that_are_theirs_and_no_other(team: Team) -> None:
    for name, model in (("ada", "churn"), ("bob", "returns")):
        seen = {dag["dag_id"] for dag in team.people[name].call("GET", "dags")["dags"]}
        assert seen == {f"{flow}.{model}" for flow in ("monitor", "retrain", "rollback")}


def test_who_is_not_asked_can_neither_see_nor_answer(team: Team, proposal: str) -> None:
    asked = team.asked(RETRAIN, proposal, "retrain")
    bob = team.people["bob"]
    assert all(one["task_instance"]["dag_id"] != RETRAIN for one in bob.waiting("~"))
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        bob.answer(asked, "Approve", {"comment": "mine"})
    # otto may do everything with DAGs, and is no approver of this model.
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        team.people["otto"].answer(asked, "Approve", {"comment": "mine"})


def test_a_person_approves_twice_in_a_browser_while_a_scheduler_dies(
    team: Team, proposal: str, ada: Page
) -> None:
    _answer(team, ada, "retrain", "have drifted since")
    team.asked(RETRAIN, proposal, "promote")
    before = team.states()["scheduler-1"]["restarts"]
    _kill("scheduler-1")
    _answer(team, ada, "promote", "No gate of version 2 failed")
    assert team.people["otto"].finished(RETRAIN, proposal, 300) == "success"
    assert team.states()["scheduler-1"]["restarts"] == before + 1

    said = team.says("worker-1", "python", "-m", "tasks", "status", "churn")
    assert re.search(r"champion\W+(version )?2", said), said


def _answer(team: Team, page: Page, step: str, read: str) -> None:
    team.asked(RETRAIN, PROPOSAL, step)
    place = f"/dags/{RETRAIN}/runs/{PROPOSAL}/tasks/approve_{step}/required_actions"
    page.goto(f"{team.airflow_url}{place}")
    expect(page.get_by_text(read)).to_be_visible()
    page.locator("#element_comment").fill("go")
    page.get_by_test_id("hitl-option-Approve").click()
    team.decided(RETRAIN, PROPOSAL, step)


def _kill(container: str) -> None:
    """Kill all processes of a container, as a crash would."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOSTNAME") == container and process.name() != "bwrap":
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def test_the_next_window_is_measured_against_the_new_champion(team: Team, proposal: str) -> None:
    otto = team.people["otto"]
    run = otto.trigger(MONITOR, {"conf": {"window": (SHIFT + 2 * DAY).isoformat()}})
    assert otto.finished(MONITOR, run, 300) == "success"
    said = team.says("worker-1", "python", "-m", "tasks", "status", "churn", "--json")
    assert '"version": 2' in said


def test_a_message_that_the_broker_lost_is_sent_again_after_two_minutes(
    team: Team, proposal: str
) -> None:
    """Redis hands a message to whoever has waited longest; that one is no worker here."""
    otto = team.people["otto"]
    with ThreadPoolExecutor(1) as beside:
        thief = beside.submit(team.says, "redis", "sh", "-c", TAKE_ONE)
        time.sleep(10)  # by then each worker has asked anew, which it does each second
        run = otto.trigger(MONITOR, {"conf": {"window": (SHIFT + 3 * DAY).isoformat()}})
        assert run in thief.result(60)
    assert otto.finished(MONITOR, run, 300) == "success"
    validate = f"dags/{MONITOR}/dagRuns/{run}/taskInstances/validate"
    assert otto.call("GET", validate)["try_number"] == 1


def test_both_workers_took_part(team: Team, proposal: str) -> None:
    hosts = set()
    for dag in (MONITOR, RETRAIN):
        path = f"dags/{dag}/dagRuns/~/taskInstances"
        found = team.people["otto"].call("GET", path, params={"limit": 100})["task_instances"]
        hosts |= {task["hostname"] for task in found if task["hostname"]}
    assert hosts == {"worker-1", "worker-2"}


def test_backfills_of_two_models_and_runs_of_their_windows_at_once_measure_each_window_once(
    team: Team, proposal: str
) -> None:
    otto = team.people["otto"]
    first = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    run = otto.trigger("retrain.orders", {"conf": first})
    assert otto.finished("retrain.orders", run, 300) == "success"
    before = {r["dag_run_id"] for r in otto.runs(RETRAIN)}

    starts = [ACCEPTED + number * DAY for number in range(6)]  # all before the labels turn
    span = {"from_date": starts[0].isoformat(), "to_date": starts[-1].isoformat()}
    for model in ("churn", "orders"):
        body = {"dag_id": f"monitor.{model}", **span, "max_active_runs": 4}
        otto.call("POST", "backfills", json=body)
    runs = [
        (dag, otto.trigger(dag, {"conf": {"window": start.isoformat()}}))
        for start in reversed(starts)
        for dag in (MONITOR, "monitor.orders")
    ]
    assert {otto.finished(dag, run, 600) for dag, run in runs} == {"success"}

    def backfilled() -> bool:
        found = otto.call("GET", "backfills", params={"dag_id": "~"})["backfills"]
        return all(one["completed_at"] for one in found)

    otto.until(backfilled, "both backfills", 600)
    recorded = json.loads(team.says("worker-1", "python", "-c", RECORDED, starts[-1].isoformat()))
    assert sorted(recorded) == sorted(
        [model, start.isoformat(), 1] for model in ("churn", "orders") for start in starts
    )
    for model in ("churn", "orders"):
        team.says("worker-1", "python", "-m", "tasks", "audit", model, "--verify")
    assert {r["dag_run_id"] for r in otto.runs(RETRAIN)} == before


def test_the_doctor_finds_all_well_but_the_windows_that_nobody_ran(
    team: Team, proposal: str
) -> None:
    said = json.loads(team.says("worker-1", "python", "-m", "tasks", "doctor", "--json", code=1))
    states: dict[str, set[str]] = {}
    for one in said["checks"]:
        states.setdefault(one["state"], set()).add(one["check"])
    assert states["ill"] == {"windows"}
    assert {"airflow", "chain", "channels", "files", "ledger", "mlflow", "rights"} <= states["well"]

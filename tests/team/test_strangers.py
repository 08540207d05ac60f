"""Who may see a question and may not answer it: with FAB's rights, over REST and in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from ops.rest import Airflow
from tests.e2e.landed import ACCEPTED

from .conftest import Team, add_person, browser_of

pytestmark = pytest.mark.timeout(1200)  # the first one starts all services

RETRAIN = "retrain.returns"
# Prints each decision on a proposal, and how many questions of it were recorded.
RECORDED = """
import json, sys
from tasks.ledger.ledger import Ledger
model, proposal = sys.argv[1:]
mine = [d for d in Ledger.open().decisions(model) if d.proposal == proposal]
print(json.dumps([[d.step, d.answer, d.by] for d in mine]))
"""


@pytest.fixture(scope="module")
def asked(team: Team) -> dict[str, Any]:
    """Have bob asked whether to train returns; the question."""
    add_person(team, "eve", "Person", "Approver of returns")  # and none of `owner.approvers`
    add_person(team, "vera", "Viewer")
    conf = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    run = team.people["otto"].trigger(RETRAIN, {"conf": conf})
    (found,) = team.people["otto"].until(lambda: _waiting(team, "bob", run), "the question", 300)
    return found


def _waiting(team: Team, name: str, run: str) -> list[dict[str, Any]]:
    found = team.people[name].waiting(RETRAIN)
    return [one for one in found if one["task_instance"]["dag_run_id"] == run]


def _stands(team: Team, run: str) -> bool:
    """Return whether the question still waits, and the ledger knows of no answer."""
    said = team.says("worker-1", "python", "-c", RECORDED, "returns", run)
    return bool(_waiting(team, "bob", run)) and json.loads(said) == []


def _answered(client: Airflow, run: str, step: str) -> tuple[int, str]:
    """Try to say yes to a step; return the code and the text of what Airflow answers."""
    path = f"dags/{RETRAIN}/dagRuns/{run}/taskInstances/approve_{step}/-1/hitlDetails"
    body = {"chosen_options": ["Approve"], "params_input": {"comment": "mine"}}
    try:
        client.call("PATCH", path, json=body)
    except httpx.HTTPStatusError as error:
        return error.response.status_code, error.response.text
    return 200, ""


def test_who_sees_a_question_and_is_no_approver_is_refused_over_rest_and_in_a_browser(
    team: Team, asked: dict[str, Any]
) -> None:
    run = asked["task_instance"]["dag_run_id"]
    for name in ("eve", "vera"):
        assert _waiting(team, name, run), name  # both see it
        code, told = _answered(team.people[name], run, "retrain")
        assert code == 403, told
        assert ("is not a respondent" if name == "eve" else "Forbidden") in told
    assert _stands(team, run)

    with browser_of(team, "eve") as page:
        place = f"/dags/{RETRAIN}/runs/{run}/tasks/approve_retrain/required_actions"
        page.goto(f"{team.airflow_url}{place}")
        page.locator("#element_comment").fill("mine")
        page.get_by_test_id("hitl-option-Approve").click()
        expect(page.get_by_text("Access Denied")).to_be_visible()
    assert _stands(team, run)


@pytest.fixture(scope="module")
def ended(team: Team, asked: dict[str, Any]) -> str:
    """Have bob refuse it; return its run."""
    team.people["bob"].answer(asked, "Reject", {"comment": "not in spring"})
    run = str(asked["task_instance"]["dag_run_id"])
    assert team.people["otto"].finished(RETRAIN, run, 300) == "success"
    return run


@pytest.fixture
def nobody(team: Team) -> Iterator[Airflow]:
    client = Airflow(team.airflow_url, "", "")
    client._http.headers["authorization"] = "Bearer forged"
    yield client
    client.close()


def test_how_a_proposal_ended_is_told_to_who_may_read_its_model_and_to_nobody_else(
    team: Team, ended: str, nobody: Airflow
) -> None:
    said = "retrain: rejected by bob. not in spring"
    for name in ("bob", "eve", "vera"):
        code, told = _answered(team.people[name], ended, "promote")
        assert (code, said in told) == (409, True), told
    for client in (team.people["ada"], nobody):
        code, told = _answered(client, ended, "promote")
        assert (code, "spring" in told) == (403, False), told
    recorded = json.loads(team.says("worker-1", "python", "-c", RECORDED, "returns", ended))
    assert recorded == [["retrain", "rejected", "bob"]]

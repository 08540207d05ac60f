"""One model's life with a person in it: first over REST, then in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tasks.ledger import status
from tasks.spec.spec_files import load_spec

from .browser import Question, after_a_click
from .conftest import Running
from .landed import ACCEPTED, DAY, SHIFT

MODEL = "asking"


@pytest.fixture(scope="module")
def champion(running: Running) -> None:
    """Accept the first champion, over REST."""
    run = running.bootstrap(MODEL)
    for step in ("retrain", "promote"):
        running.answer(MODEL, run, step, "Approve", "first")
    assert running.operator.finished(f"retrain.{MODEL}", run) == "success"


@pytest.fixture(scope="module")
def proposal(running: Running, champion: None) -> str:
    """Run windows until the latch opens; return the proposal that waits."""
    for start in (ACCEPTED, SHIFT, SHIFT + DAY):
        assert running.window(MODEL, start) == "success"
    return f"{MODEL}.v1.{SHIFT:%Y%m%dT%H%M}.1"


def _status(running: Running) -> status.Status:
    return status.read(load_spec(running.home / "models" / f"{MODEL}.yaml"), running.ledger)


def test_an_open_latch_starts_one_retrain_run_named_by_its_proposal(
    running: Running, proposal: str
) -> None:
    running.asked(MODEL, proposal, "retrain")
    assert running.window(MODEL, SHIFT + DAY) == "success"  # once more: nothing new
    runs = [r["dag_run_id"] for r in running.operator.runs(f"retrain.{MODEL}")]
    assert runs.count(proposal) == 1
    assert len(runs) == 2  # the bootstrap and this


def test_the_brief_names_what_drifted_and_its_chart_is_served(
    running: Running, proposal: str
) -> None:
    body = running.asked(MODEL, proposal, "retrain")["body"]
    assert f"have drifted since {SHIFT:%Y-%m-%d}" in body
    assert "| hinge loss |" in body
    assert "/gatelatch/reports/" in body


def test_a_rejection_is_recorded_and_the_episode_asks_again_with_a_new_number_after_the_rest(
    running: Running, proposal: str
) -> None:
    running.answer(MODEL, proposal, "retrain", "Reject", "not yet")
    assert running.operator.finished(f"retrain.{MODEL}", proposal) == "success"
    refused = _status(running).decisions[-1]
    assert (refused.answer, refused.by, refused.comment) == ("rejected", "ada", "not yet")
    assert _status(running).history.now.state == "resting"
    assert running.window(MODEL, SHIFT + 2 * DAY) == "success"
    second = proposal.removesuffix(".1") + ".2"
    assert running.asked(MODEL, second, "retrain")


def test_in_a_browser_a_person_reads_the_brief_approves_twice_and_sees_the_promotion(
    running: Running, page: Page, proposal: str
) -> None:
    second = proposal.removesuffix(".1") + ".2"
    retrain, promote = (
        Question(running, page, MODEL, second, step) for step in ("retrain", "promote")
    )
    retrain.open("have drifted since")
    chart = page.locator("img[src*='drift.svg']")
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.naturalWidth") > 100
    page.get_by_test_id("hitl-option-Reject").click()
    expect(page.get_by_text("A rejection needs a reason").first).to_be_visible()
    expect(page.get_by_text("Response failed").first).to_be_visible()
    assert not running.recorded(MODEL, second, "retrain")
    retrain.open("have drifted since")  # without the toast, which covers the buttons
    retrain.approve()
    promote.open("No gate of version 2 failed")
    promote.approve()
    assert running.operator.finished(f"retrain.{MODEL}", second) == "success"

    known = _status(running)
    assert known.champion == 2
    assert known.promotions[-1].by == "ada"
    assert known.decisions[-2].comment == "go"
    page.goto(f"{running.settings.mlflow_url}/#/models/{MODEL}")
    expect(page.get_by_text("champion").first).to_be_visible()


@after_a_click
def test_the_next_window_is_measured_against_the_new_champion(running: Running) -> None:
    assert running.window(MODEL, SHIFT + 3 * DAY) == "success"
    newest = _status(running).observations[-1]
    assert (newest.version, newest.verdict) == (2, "steady")


@after_a_click
def test_a_rollback_goes_back_to_the_champion_before(running: Running) -> None:
    conf = {"reason": "the market desk asked"}
    run = running.operator.trigger(f"rollback.{MODEL}", {"conf": conf})
    assert running.operator.finished(f"rollback.{MODEL}", run) == "success"
    last = _status(running).promotions[-1]
    assert (last.version, last.expected, last.by) == (1, 2, "otto")

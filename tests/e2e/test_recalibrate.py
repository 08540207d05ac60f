"""Probabilities that no longer hold, from a window of the monitor to a person's second yes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tasks.audit.verified_model import model_of
from tasks.classifier.calibration import sigmoid_of

from .browser import Question, after_a_click
from .conftest import Running
from .landed import ACCEPTED, DAY

MODEL = "unsure"
DAG = f"retrain.{MODEL}"
PROPOSAL = f"{MODEL}.v1.recalibrate.{ACCEPTED:%Y%m%dT%H%M}.1"


@pytest.fixture(scope="module")
def breached(running: Running) -> None:
    """Two windows whose labels a coin spoils, under a champion that never saw such."""
    running.accept(MODEL, "first", ACCEPTED, 8 * DAY)
    running.windows(MODEL, ACCEPTED, ACCEPTED + DAY)


def proposals(running: Running) -> list[tuple[str, str]]:
    return [(run["dag_run_id"], run["conf"]["action"]) for run in running.operator.runs(DAG)]


def test_windows_whose_margins_hold_and_whose_probabilities_do_not_ask_to_recalibrate(
    running: Running, breached: None
) -> None:
    seen = running.status(MODEL).observations
    assert [(o.verdict, o.reason) for o in seen] == [("steady", "within its limits")] * 2
    assert [o.figures["calibration"]["verdict"] for o in seen] == ["drifting"] * 2
    assert proposals(running) == [(PROPOSAL, "recalibrate")]


def test_in_a_browser_a_person_approves_the_same_decisions_with_other_probabilities(
    running: Running, breached: None, page: Page
) -> None:
    retrain, promote = (
        Question(running, page, MODEL, PROPOSAL, step) for step in ("retrain", "promote")
    )
    retrain.open("labelled windows are above their limit")
    retrain.approve()
    promote.open("No gate of version 2 failed")
    promote.approve()
    assert running.operator.finished(DAG, PROPOSAL) == "success"

    known = running.status(MODEL)
    assert (known.champion, running.alias(MODEL), known.promotions[-1].by) == (2, 2, "ada")
    assert known.calibration.now.state == "resting"
    running.verify(MODEL)
    before, after = (_learnt(running, version) for version in (1, 2))
    assert after["coef"] == before["coef"]
    assert after["sigmoid"] != before["sigmoid"]


@after_a_click
def test_the_probabilities_of_the_next_window_hold_and_nobody_is_asked_again(
    running: Running,
) -> None:
    running.windows(MODEL, ACCEPTED + 2 * DAY, ACCEPTED + DAY)  # the second once more
    seen = running.status(MODEL).observations
    assert [(o.version, o.figures["calibration"]["verdict"]) for o in seen] == [
        (1, "drifting"),
        (1, "drifting"),
        (2, "steady"),
    ]
    assert proposals(running) == [(PROPOSAL, "recalibrate")]


def _learnt(running: Running, version: int) -> dict[str, Any]:
    with running.inside():
        calibrated = model_of(running.spec(MODEL), running.ledger, version)
    fitted = calibrated.estimator.estimator["model"]
    return {
        "coef": [*fitted.coef_.ravel(), *fitted.intercept_],
        "sigmoid": sigmoid_of(calibrated),
    }

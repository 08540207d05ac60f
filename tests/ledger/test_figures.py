"""What an observation keeps, with its types: nothing is lost, and a later release is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.data.served_by import ScoredBy
from tasks.drift.diagnosis import Diagnosis
from tasks.drift.explanation import Change, ClassFigures, ExpectedLosses, FeatureShift
from tasks.drift.loss_sums import Losses
from tasks.drift.probabilities import HeldProbabilities
from tasks.drift.statistic import Statistic
from tasks.ledger.figures import WindowFigures
from tests.support.rows import observation

CHANGE = Change(total=-0.5, features={"x": -0.6}, rest=0.1)
LABELLED = WindowFigures(
    rows=300,
    accepted=299,
    quarantined=1,
    reasons={"expect_column_values_to_be_unique on column 'id'": 1},
    warnings=("a class is new",),
    scored_by=ScoredBy(versions={1: 200, 2: 100}, others=0, none=0),
    labelled=10,
    labels={"0": 4, "1": 6},
    psi=0.1,
    moved=CHANGE,
    features=(FeatureShift(feature="x", shift=1.0, spread=1.0),),
    diagnoses=(Diagnosis("broken_scaling", "x varies", "look at x"),),
    capped={"x": 3},
    losses=Losses.of(np.array([0.4, 2.0, -0.1])).means,
    classes={
        "0": ClassFigures(
            share=0.4,
            share_reference=0.5,
            hinge_loss=None,
            error_rate=None,
            error_rate_reference=0.1,
        )
    },
    moved_by_class={"0": CHANGE},
    expected=ExpectedLosses(accuracy=0.9, hinge_loss=0.4),
    accuracy=0.9,
    hinge_loss=0.4,
    violation_rate=0.3,
    calibration=HeldProbabilities(
        verdict="steady",
        reason="they hold",
        pressure=None,
        statistics=(Statistic("bias", 0, 1, 1),),
    ),
    statistics=(Statistic("ks", 0.5, 1.0, 0.2, of="x", blind=True),),
    report="reports/x.html",
)
UNMEASURED = WindowFigures(rows=0, quarantined=0, warnings=(), report="reports/x.html")


@pytest.mark.parametrize("figures", [LABELLED, UNMEASURED], ids=["labelled", "unmeasured"])
def test_figures_are_the_same_after_json(figures: WindowFigures) -> None:
    assert WindowFigures.from_json(json.loads(json.dumps(figures.to_json()))) == figures


def test_what_a_later_release_keeps_beside_is_left_out() -> None:
    told = LABELLED.to_json()
    told["statistics"][0]["later"] = told["losses"]["later"] = told["classes"]["0"]["later"] = 1
    assert WindowFigures.from_json(told) == LABELLED


def test_what_was_not_measured_is_not_written() -> None:
    assert set(UNMEASURED.to_json()) == {
        *("rows", "accepted", "quarantined", "warnings", "statistics", "report")
    }
    assert UNMEASURED.labelled is None


def test_format_1_has_no_number_so_that_a_window_run_again_says_the_same() -> None:
    assert "format" not in LABELLED.to_json()
    assert WindowFigures.from_json({**LABELLED.to_json(), "format": 1}) == LABELLED


@pytest.mark.parametrize("kept", [{}, {"accepted": 3, "of a later release": 1}])
def test_an_observation_gives_its_figures_their_types(kept: dict[str, Any]) -> None:
    seen = replace(observation(), figures=kept)
    assert seen.numbers == WindowFigures(accepted=kept.get("accepted", 0))

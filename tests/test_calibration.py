"""Platt scaling and the calibration error, on values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from tasks import calibration, scoring, training
from tasks.calibration import expected_calibration_error
from tasks.spec import ModelSpec


def rows(seed: int, turned: bool = False) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(300, 2)), columns=["x", "z"])
    noise = rng.normal(scale=0.5, size=300)
    return frame, ((frame["x"] + noise > 0).to_numpy() ^ turned).astype(np.int64)


@pytest.mark.parametrize(("turned", "sign"), [(False, 1), (True, -1)])
def test_the_slope_is_positive_only_where_a_larger_score_means_more_probable(
    spec: Callable[..., ModelSpec], turned: bool, sign: int
) -> None:
    fitted = training.fit(spec(), *rows(1))
    (slope,) = calibration.slopes(calibration.platt(fitted, *rows(2, turned)))
    assert np.sign(slope) == sign


def test_more_than_two_classes_have_a_slope_each(spec: Callable[..., ModelSpec]) -> None:
    three = spec(label={"classes": ["low", "middle", "high"]})
    frame, _ = rows(1)
    label = np.digitize(frame["x"], [-0.5, 0.5])
    calibrated = calibration.platt(training.fit(three, frame, label), frame, label)
    assert len(calibration.slopes(calibrated)) == 3
    assert calibrated.predict_proba(frame).sum(axis=1) == pytest.approx(1)


def test_calibration_leaves_the_fitted_model_unchanged(spec: Callable[..., ModelSpec]) -> None:
    fitted = training.fit(spec(), *rows(1))
    frame, label = rows(2)
    before = scoring.decide(fitted, frame), fitted["model"].coef_.copy()
    calibrated = calibration.platt(fitted, frame, label)
    assert (scoring.decide(fitted, frame) == before[0]).all()
    assert (scoring.decide(calibrated, frame) == before[0]).all()
    assert (fitted["model"].coef_ == before[1]).all()


def test_probabilities_are_the_sigmoid_of_the_decision_value(
    spec: Callable[..., ModelSpec],
) -> None:
    frame, label = rows(2)
    calibrated = calibration.platt(training.fit(spec(), *rows(1)), frame, label)
    (sigmoid,) = calibrated.calibrated_classifiers_[0].calibrators
    decision = scoring.decide(calibrated, frame)
    expected = expit(-(sigmoid.a_ * decision + sigmoid.b_))
    assert calibrated.predict_proba(frame)[:, 1] == pytest.approx(expected)


def two(confidences: list[float]) -> np.ndarray:
    top = np.array(confidences)
    return np.column_stack([1 - top, top])


@pytest.mark.parametrize(
    ("confidences", "labels", "error"),
    [
        ([1.0] * 20, [1] * 20, 0.0),
        ([1.0] * 20, [0] * 20, 1.0),
        ([0.8] * 10, [1] * 10, 0.2),
        # Ten bins of one row each: five gaps of 0.4, five of 0.1.
        ([0.6] * 5 + [0.9] * 5, [1] * 10, 0.25),
        # Two rows a bin, half of them right, said to be 75 %.
        ([0.75] * 20, [0, 1] * 10, 0.25),
        # Fewer rows than bins: |0.9 - 1| and |0.7 - 0|.
        ([0.9, 0.7], [1, 0], 0.4),
    ],
)
def test_the_calibration_error_is_what_a_hand_works_out(
    confidences: list[float], labels: list[int], error: float
) -> None:
    assert expected_calibration_error(two(confidences), np.array(labels)) == pytest.approx(error)


@given(st.lists(st.tuples(st.floats(0.5, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_the_calibration_error_lies_between_0_and_1(rows: list[tuple[float, int]]) -> None:
    confidences, labels = zip(*rows, strict=True)
    assert 0 <= expected_calibration_error(two(list(confidences)), np.array(labels)) <= 1


def test_a_slice_with_one_row_of_a_class_is_enough(spec: Callable[..., ModelSpec]) -> None:
    frame, label = rows(2)
    few = np.r_[np.flatnonzero(label == 0)[:4], np.flatnonzero(label == 1)[:1]]
    fitted = training.fit(spec(), *rows(1))
    calibrated = calibration.platt(fitted, frame.iloc[few], label[few])
    assert len(calibration.slopes(calibrated)) == 1

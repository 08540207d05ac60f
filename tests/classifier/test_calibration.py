"""Platt scaling and the calibration error, on values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from tasks.classifier import calibration, scoring, training
from tasks.gates.equal_mass import reliability
from tasks.spec.model import ModelSpec


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
    (slope,) = calibration.slopes(
        calibration.learn_probabilities(fitted, *rows(2, turned), "sigmoid")
    )
    assert np.sign(slope) == sign


def test_more_than_two_classes_have_a_slope_each(spec: Callable[..., ModelSpec]) -> None:
    three = spec(label={"classes": ["low", "middle", "high"]})
    frame, _ = rows(1)
    label = np.digitize(frame["x"], [-0.5, 0.5])
    calibrated = calibration.learn_probabilities(
        training.fit(three, frame, label), frame, label, "sigmoid"
    )
    assert len(calibration.slopes(calibrated)) == 3
    assert calibrated.predict_proba(frame).sum(axis=1) == pytest.approx(1)


def test_calibration_leaves_the_fitted_model_unchanged(spec: Callable[..., ModelSpec]) -> None:
    fitted = training.fit(spec(), *rows(1))
    frame, label = rows(2)
    before = scoring.decision_values(fitted, frame), fitted["model"].coef_.copy()
    calibrated = calibration.learn_probabilities(fitted, frame, label, "sigmoid")
    assert (scoring.decision_values(fitted, frame) == before[0]).all()
    assert (scoring.decision_values(calibrated, frame) == before[0]).all()
    assert (fitted["model"].coef_ == before[1]).all()


def test_probabilities_are_the_sigmoid_of_the_decision_value(
    spec: Callable[..., ModelSpec],
) -> None:
    frame, label = rows(2)
    calibrated = calibration.learn_probabilities(
        training.fit(spec(), *rows(1)), frame, label, "sigmoid"
    )
    (sigmoid,) = calibrated.calibrated_classifiers_[0].calibrators
    decision = scoring.decision_values(calibrated, frame)
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
    assert reliability(two(confidences), np.array(labels)).expected_error == pytest.approx(error)


@given(st.lists(st.tuples(st.floats(0.5, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_the_calibration_error_lies_between_0_and_1(rows: list[tuple[float, int]]) -> None:
    confidences, labels = zip(*rows, strict=True)
    assert 0 <= reliability(two(list(confidences)), np.array(labels)).expected_error <= 1


def test_a_slice_with_one_row_of_a_class_is_enough(spec: Callable[..., ModelSpec]) -> None:
    frame, label = rows(2)
    few = np.r_[np.flatnonzero(label == 0)[:4], np.flatnonzero(label == 1)[:1]]
    fitted = training.fit(spec(), *rows(1))
    calibrated = calibration.learn_probabilities(fitted, frame.iloc[few], label[few], "sigmoid")
    assert len(calibration.slopes(calibrated)) == 1


METHODS = ["sigmoid", "temperature", "isotonic"]
CLASSES = [0, 1, 2]


def learnt(spec: ModelSpec, method: str, classes: int) -> tuple[Any, pd.DataFrame, Any, Any]:
    """Return a calibrated model, the rows it was calibrated on, and their decision values."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(2000, 2)), columns=["x", "z"])
    scores = np.column_stack([-frame["x"] - frame["z"], frame["x"], frame["z"]])[:, :classes]
    label = (2 * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    named = spec.model_copy(
        update={"label": spec.label.model_copy(update={"classes": tuple(CLASSES[:classes])})}
    )
    fitted = training.fit(named, frame[:1000], label[:1000])
    held = frame[1000:]
    model = calibration.learn_probabilities(fitted, held, label[1000:], method)  # type: ignore[arg-type]
    return model, held, label[1000:], scoring.decision_values(model, held)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [2, 3])
def test_every_method_is_close_to_the_frequencies_and_keeps_the_ranking(
    spec: Callable[..., ModelSpec], method: str, classes: int
) -> None:
    model, held, label, decision = learnt(spec(), method, classes)
    chance = calibration.probabilities(model, decision)
    assert chance == pytest.approx(model.predict_proba(held), abs=1e-12)
    assert chance.shape == (1000, classes)
    # One against the rest, then made to sum to 1, is a little off for three classes.
    assert reliability(chance, label).expected_error < (0.03 if classes == 2 else 0.08)
    assert min(calibration.slopes(model)) > 0
    assert calibration.probabilities(model, decision[:0]).shape == (0, classes)
    if classes == 2:
        order = np.argsort(decision)
        assert (np.diff(chance[order, 1]) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_labels_that_turned_round_leave_no_method_a_positive_slope(
    spec: Callable[..., ModelSpec], method: str
) -> None:
    fitted = training.fit(spec(), *rows(1))
    frame, label = rows(2, turned=True)
    if method == "isotonic":  # its ends follow a few rows unless the order is wholly turned
        label = (scoring.decision_values(fitted, frame) < 0).astype(np.int64)
    model = calibration.learn_probabilities(fitted, frame, label, method)  # type: ignore[arg-type]
    assert max(calibration.slopes(model)) <= 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [2, 3])
def test_where_a_method_is_a_sigmoid_of_two_classes_its_parameters_say_so(
    spec: Callable[..., ModelSpec], method: str, classes: int
) -> None:
    model, held, _, decision = learnt(spec(), method, classes)
    found = calibration.sigmoid_of(model)
    assert (found is None) == (classes > 2 or method == "isotonic")
    if found is not None:
        a, b = found
        assert expit(-(a * decision + b)) == pytest.approx(model.predict_proba(held)[:, 1])


def test_an_isotonic_function_needs_rows_and_the_error_says_how_to_get_them(
    spec: Callable[..., ModelSpec],
) -> None:
    label = np.arange(999) % 2
    training.need_enough_to_calibrate(spec(), label)
    isotonic = spec(calibration={"method": "isotonic"})
    training.need_enough_to_calibrate(isotonic, np.arange(1000) % 2)
    with pytest.raises(training.TrainingError, match=r"999 rows .* needs 1000; widen training"):
        training.need_enough_to_calibrate(isotonic, label)
    with pytest.raises(training.TrainingError, match=r"calibration slice .* no row of class 1"):
        training.need_enough_to_calibrate(isotonic, np.zeros(2000, dtype=np.int64))

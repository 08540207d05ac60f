"""What every calibrator keeps to, be it a map of each class against the rest or one of all."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from skops.io import get_untrusted_types

from tasks.arrays import Floats, Ints
from tasks.classifier import calibration, calibration_fit, older_classes, skops_file, training
from tasks.classifier.calibrators import CALIBRATORS
from tasks.classifier.scoring import decision_values
from tasks.spec.model import ModelSpec
from tasks.spec.training_options import Calibration, CalibrationMethod
from tests.support import past

NAMES = ("c0", "c1", "c2")
each = pytest.mark.parametrize("method", CALIBRATORS)
of_classes = pytest.mark.parametrize("method", [m for m, c in CALIBRATORS.items() if c.by_class])
either = pytest.mark.parametrize("classes", [2, 3])


def spec(method: CalibrationMethod, classes: int = 2) -> ModelSpec:
    label = {"column": "y", "classes": NAMES[:classes]}
    return past.spec(label=label, calibration={"method": method})


def rows(classes: int, count: int = 1500, seed: int = 1) -> tuple[pd.DataFrame, Ints]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(count, 2)), columns=["x", "z"])
    scores = np.column_stack([-frame["x"] - frame["z"], frame["x"], frame["z"]])[:, :classes]
    return frame, (2 * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def learnt(method: CalibrationMethod, classes: int) -> tuple[Any, pd.DataFrame, Ints]:
    """Return a calibrated model, and the rows that calibrated it."""
    fitted = training.fit(spec(method, classes), *rows(classes, 600, 2))
    frame, label = rows(classes)
    return calibration.learn_probabilities(fitted, frame, label, method), frame, label


def of_values(method: CalibrationMethod, decision: Floats, label: Ints) -> list[Any]:
    known = np.arange(2 if decision.ndim == 1 else decision.shape[1])
    return CALIBRATORS[method].learn(decision, label, known, known)


def values(seed: int = 3, n: int = 1500) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    decision = 2 * rng.normal(size=n)
    return decision, (decision + rng.logistic(size=n) > 0.5).astype(np.int64)


def test_the_spec_names_every_calibrator_and_no_other() -> None:
    assert tuple(CALIBRATORS) == get_args(CalibrationMethod)
    assert Calibration().method in CALIBRATORS
    assert Calibration.model_fields["method"].description


@each
@either
def test_probabilities_are_those_that_scikit_learn_serves(
    method: CalibrationMethod, classes: int
) -> None:
    model, frame, _ = learnt(method, classes)
    far = pd.concat([frame, 1e4 * frame])
    chance = calibration.probabilities(model, decision_values(model, far))
    assert chance == pytest.approx(model.predict_proba(far), abs=1e-12)
    assert chance.shape == (len(far), classes)
    assert ((chance >= 0) & (chance <= 1)).all()
    assert chance.sum(axis=1) == pytest.approx(1)
    assert model.method == method


@each
def test_a_larger_score_is_no_less_probable(method: CalibrationMethod) -> None:
    calibrators = of_values(method, *values())
    scores = np.r_[-1e6, -1e3, np.linspace(-40, 40, 2001), 1e3, 1e6]
    positive = CALIBRATORS[method].probabilities(calibrators, scores)[:, 1]
    assert (np.diff(positive) >= -1e-12).all()  # as exactly as `ranking_kept` asks
    assert positive[-1] > 0.9
    assert positive[0] < 0.1


@each
@either
def test_slopes_are_finite_and_positive_where_scores_tell_something(
    method: CalibrationMethod, classes: int
) -> None:
    model, _, _ = learnt(method, classes)
    found = calibration.slopes(model)
    by_class = CALIBRATORS[method].by_class
    assert len(found) == (classes if by_class and classes > 2 else 1)
    assert all(math.isfinite(slope) and slope > 0 for slope in found)


@each
@either
def test_the_same_rows_give_the_same_file(method: CalibrationMethod, classes: int) -> None:
    one, other = (skops_file.dump(learnt(method, classes)[0]) for _ in range(2))
    assert one == other


@each
@either
def test_the_order_of_the_rows_does_not_matter(method: CalibrationMethod, classes: int) -> None:
    fitted = training.fit(spec(method, classes), *rows(classes, 600, 2))
    frame, label = rows(classes)
    order = np.random.default_rng(5).permutation(len(label))
    one = calibration.learn_probabilities(fitted, frame, label, method)
    other = calibration.learn_probabilities(fitted, frame.iloc[order], label[order], method)
    # Their searches end where a step is no longer worth taking.
    assert one.predict_proba(frame) == pytest.approx(other.predict_proba(frame), abs=1e-4)


@each
@either
def test_a_file_holds_trusted_types_alone_and_gives_the_same_probabilities(
    method: CalibrationMethod, classes: int
) -> None:
    model, frame, _ = learnt(method, classes)
    content = skops_file.dump(model)
    assert set(get_untrusted_types(data=content)) <= set(skops_file.TRUSTED)
    read = skops_file.load(content, "model.skops")
    assert (read.predict_proba(frame) == model.predict_proba(frame)).all()
    assert calibration.slopes(read) == calibration.slopes(model)
    assert skops_file.dump(read) == content


@each
@either
def test_parameters_and_their_sentence_survive_json(
    method: CalibrationMethod, classes: int
) -> None:
    model, frame, label = learnt(method, classes)
    found = calibration_fit.calibration_parameters(
        model, decision_values(model, frame), NAMES[:classes]
    )
    kept = json.loads(json.dumps(found, allow_nan=False))
    assert kept == found
    assert (kept["method"], kept["rows"]) == (method, len(label))
    figures = calibration_fit.flat_parameters(kept)
    assert figures
    assert all(math.isfinite(value) for value in figures.values())
    said = calibration_fit.calibration_sentence(kept)
    assert said.startswith(f"Probabilities by `{method}` on {len(label)} rows: ")
    assert said.endswith(".")
    assert "{" not in said


@of_classes
def test_of_many_classes_the_sentence_tells_the_range(method: CalibrationMethod) -> None:
    (calibrator,) = of_values(method, *values())
    names = tuple(f"c{i}" for i in range(9))
    many = CALIBRATORS[method].parameters([calibrator] * 9, np.tile(values()[0], (9, 1)).T, names)
    said = calibration_fit.calibration_sentence({"method": method, "rows": 1500, **many})
    assert "a function for each of 9 classes: " in said
    assert len(said) < 150


@each
def test_a_slice_of_one_class_is_refused_in_words(method: CalibrationMethod) -> None:
    with pytest.raises(training.TrainingError, match=r"no row of class c1.*widen training.window"):
        training.need_enough_to_calibrate(spec(method), np.zeros(2000, dtype=np.int64))


@each
def test_too_few_rows_are_refused_with_the_methods_that_need_no_number(
    method: CalibrationMethod,
) -> None:
    needed = CALIBRATORS[method].rows_needed
    training.need_enough_to_calibrate(spec(method), np.arange(max(needed, 2)) % 2)
    if needed:
        with pytest.raises(training.TrainingError, match=f"{method}, which needs {needed}; widen"):
            training.need_enough_to_calibrate(spec(method), np.arange(needed - 1) % 2)


@each
def test_scores_that_are_all_the_same_give_the_frequency_and_no_slope(
    method: CalibrationMethod,
) -> None:
    decision, label = np.full(500, -0.7), np.repeat([0, 1], [400, 100])
    calibrator = CALIBRATORS[method]
    calibrators = of_values(method, decision, label)
    chance = calibrator.probabilities(calibrators, decision[:3])
    assert chance[:, 1] == pytest.approx(0.2, abs=0.01)
    if calibrator.by_class:  # of all classes together, one number is that of the frequency
        assert abs(calibrator.slopes(calibrators)[0]) < 0.01
    found = calibrator.parameters(calibrators, decision, NAMES[:2])
    json.dumps(found, allow_nan=False)
    assert calibrator.sentence({"method": method, "rows": 500, **found}).endswith(".")


@each
def test_scores_that_separate_the_classes_give_finite_parameters(method: CalibrationMethod) -> None:
    decision = np.r_[np.linspace(-3, -1, 500), np.linspace(1, 3, 500)]
    calibrators = of_values(method, decision, (decision > 0).astype(np.int64))
    (slope,) = CALIBRATORS[method].slopes(calibrators)
    assert math.isfinite(slope)
    assert slope > 0
    chance = CALIBRATORS[method].probabilities(calibrators, decision)[:, 1]
    assert np.isfinite(chance).all()
    found = CALIBRATORS[method].parameters(calibrators, decision, NAMES[:2])
    json.dumps(found, allow_nan=False)


@each
def test_labels_that_turned_round_leave_no_positive_slope(method: CalibrationMethod) -> None:
    decision = np.linspace(-3, 3, 1200)
    calibrators = of_values(method, decision, (decision < 0).astype(np.int64))
    assert max(CALIBRATORS[method].slopes(calibrators)) <= 0


@of_classes
def test_a_few_rows_of_a_class_take_what_all_classes_taught_at_its_own_frequency(
    method: CalibrationMethod,
) -> None:
    fitted = training.fit(spec(method, 3), *rows(3, 600, 2))
    frame, label = rows(3)
    keep = np.r_[np.flatnonzero(label != 1), np.flatnonzero(label == 1)[:6]]
    model = calibration.learn_probabilities(fitted, frame.iloc[keep], label[keep], method)
    chance = model.predict_proba(frame.iloc[keep])[:, 1]
    assert chance.mean() == pytest.approx(6 / len(keep), abs=0.02)
    assert chance[-6:].mean() > 3 * chance[:-6].mean()
    assert min(calibration.slopes(model)) > 0


@each
@either
def test_an_older_model_answers_as_before_and_never_with_a_later_class(
    method: CalibrationMethod, classes: int
) -> None:
    model, frame, _ = learnt(method, classes)
    wide = older_classes.answering(model, NAMES[:classes], (*NAMES[:classes], "new"))
    chance = calibration.probabilities(wide, decision_values(wide, frame))
    assert chance == pytest.approx(wide.predict_proba(frame), abs=1e-12)
    if CALIBRATORS[method].by_class:
        assert chance[:, :classes] == pytest.approx(model.predict_proba(frame), abs=1e-9)
        assert (chance[:, -1] == 0).all()
    assert len(calibration.slopes(wide)) == (classes if CALIBRATORS[method].by_class else 1)


@each
def test_what_is_a_sigmoid_says_so_and_nothing_else_does(method: CalibrationMethod) -> None:
    calibrators = of_values(method, *values())
    scores = np.linspace(-2, 2, 101)
    positive = CALIBRATORS[method].probabilities(calibrators, scores)[:, 1]
    logit = np.log(positive / (1 - positive))
    line = np.polyfit(scores, logit, 1)
    found = CALIBRATORS[method].sigmoid(calibrators)
    if np.allclose(logit, np.polyval(line, scores), atol=1e-9):
        assert found == pytest.approx(tuple(-line), abs=1e-9)
    else:
        assert found is None

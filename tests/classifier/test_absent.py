"""A class that comes late, leaves, or is one of forty: the others are learnt, and it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from tasks.classifier import (
    absent,
    calibration,
    calibration_fit,
    older_classes,
    scoring,
    skops_file,
    training,
)
from tasks.classifier.cut import Cut
from tasks.classifier.margins import error, hinge, margin, violation
from tasks.classifier.training import TrainingError
from tasks.replay.play import play
from tasks.spec.model import ModelSpec
from tests.support import past
from tests.support.past import HOURS

METHODS = ["sigmoid", "temperature", "isotonic"]
SIDES = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])


def spec(classes: int = 3, **parts: Any) -> ModelSpec:
    names = [f"c{i}" for i in range(classes)]
    return past.spec(label={"column": "y", "classes": names}, **parts)


def rows(label: np.ndarray, seed: int = 1, spread: float = 1.0) -> pd.DataFrame:
    """Return two features that lie around the corner of each row's class."""
    corner = SIDES[label % 3] * (1 + label[:, None] // 3)
    noise = np.random.default_rng(seed).normal(scale=spread, size=corner.shape)
    return pd.DataFrame(corner + noise, columns=["x", "z"])


def some(classes: list[int], count: int, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    label = np.random.default_rng(seed).choice(classes, count)
    return rows(label, seed), label


@pytest.mark.parametrize("estimator", ["linear_svc", "sgd_hinge"])
@given(places=st.sets(st.integers(0, 5), min_size=2, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=12, deadline=None)
def test_a_class_that_is_never_there_changes_no_decision_and_no_loss(
    estimator: str, places: set[int], seed: int
) -> None:
    there = sorted(places)
    frame, label = some(there, 120, seed)
    wide = training.fit(spec(6, training={"estimator": estimator}), frame, label)
    named = spec(len(there), training={"estimator": estimator})
    narrow = training.fit(named, frame, np.searchsorted(there, label))
    far = frame * 7
    ours, alone = scoring.decision_values(wide, far), scoring.decision_values(narrow, far)
    if len(there) == 2:
        alone = np.column_stack([-alone, alone])
    assert ours.shape == (120, 6)
    assert ours == pytest.approx(wide.decision_function(far), rel=1e-9, abs=1e-9)
    assert ours[:, there] == pytest.approx(alone, rel=1e-9, abs=1e-9)
    assert (ours.argmax(axis=1) == np.array(there)[alone.argmax(axis=1)]).all()
    assert (wide.predict(far) == ours.argmax(axis=1)).all()
    theirs = margin(alone, np.searchsorted(there, label))
    assert hinge(margin(ours, label)) == pytest.approx(hinge(theirs), abs=1e-9)
    assert (error(margin(ours, label)) == error(theirs)).all()
    sure = abs(theirs - 1) > 1e-9
    assert (violation(margin(ours, label)) == violation(theirs))[sure].all()
    missing = np.setdiff1d(np.arange(6), there)
    assert absent.learnt_classes(wide).tolist() == there
    for index in missing:
        lost = margin(ours, np.full(120, index))
        # No more than the range of the others' values, and 1.
        assert (lost <= -1 + 1e-9).all()
        assert (lost >= -1 - 1e-9 - np.ptp(alone, axis=1)).all()


def test_a_fit_on_every_class_is_that_of_scikit_learn() -> None:
    frame, label = some([0, 1, 2], 200)
    fitted = training.fit(spec(), frame, label)
    plain = training.pipeline(spec(), len(frame)).fit(frame, label)
    assert skops_file.dump(fitted) == skops_file.dump(plain)
    assert absent.learnt_classes(fitted).tolist() == [0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_calibration_with_rows_of_every_class_is_that_of_scikit_learn(
    method: Any, classes: int
) -> None:
    frame, label = some([*range(classes)], 400)
    fitted = training.fit(spec(classes), frame[:200], label[:200])
    held, truth = frame[200:], label[200:]
    all_rows = np.arange(200)
    plain = CalibratedClassifierCV(
        FrozenEstimator(fitted), method=method, cv=[(all_rows, all_rows)]
    ).fit(held, truth)
    ours = calibration.learn_probabilities(fitted, held, truth, method)
    assert (ours.predict_proba(held) == plain.predict_proba(held)).all()
    assert (ours.classes_ == plain.classes_).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_class_without_a_row_in_the_fit_is_never_probable_and_the_file_keeps_that(
    method: Any,
) -> None:
    frame, label = some([0, 2, 3], 600)
    label = np.where(label == 3, 1, label)  # class 1 comes when the fit is over
    early = np.flatnonzero(label != 1)
    fitted = training.fit(spec(), frame.iloc[early[:200]], label[early[:200]])
    held, truth = frame[300:], label[300:]
    model = calibration.learn_probabilities(fitted, held, truth, method)
    content = skops_file.dump(model)
    read = skops_file.load(content, "model.skops")
    assert skops_file.dump(read) == content
    assert absent.learnt_classes(read).tolist() == [0, 2]
    decision = scoring.decision_values(read, held)
    chance = calibration.probabilities(read, decision)
    assert decision.shape == chance.shape == (300, 3)
    assert chance == pytest.approx(read.predict_proba(held), abs=1e-12)
    assert chance.sum(axis=1) == pytest.approx(1)
    if method == "temperature":
        assert (chance[:, 1] < chance.max(axis=1)).all()
    else:
        assert (chance[:, 1] == 0).all()
        found = calibration_fit.calibration_parameters(read, decision, ("c0", "c1", "c2"))[
            "classes"
        ]
        assert (found["c1"], bool(found["c0"])) == ({}, True)
    assert min(calibration.slopes(read)) > 0
    assert len(calibration.slopes(read)) == (1 if method == "temperature" else 2)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("left", [0, 9])
def test_a_class_with_few_rows_to_calibrate_takes_what_is_learnt_of_all_at_its_own_frequency(
    method: Any, left: int
) -> None:
    frame, label = some([0, 1, 2], 900)
    fitted = training.fit(spec(), frame[:300], label[:300])
    places = np.arange(300, 900)
    keep = np.r_[places[label[300:] != 1], places[label[300:] == 1][:left]]
    held, truth = frame.iloc[keep], label[keep]
    model = calibration.learn_probabilities(fitted, held, truth, method)
    scores = scoring.decision_values(fitted, frame)
    mine = model.calibrated_classifiers_[0].calibrators
    decision = scoring.decision_values(fitted, held)
    hits = (truth[:, None] == np.arange(3)).ravel()
    from sklearn.base import clone

    together = clone(mine[1]).fit(decision.ravel(), hits.astype(int))
    points = getattr(together, "X_thresholds_", scores[:, 1])  # a step function is one at its knots
    pooled = together.predict(points)
    factor = (left + 1) / (len(held) - left + 1) * (2 * len(held) + 1) / (len(held) + 1)
    expected = factor * pooled / (1 - pooled + factor * pooled)
    assert mine[1].predict(points) == pytest.approx(expected)
    own = clone(mine[0]).fit(decision[:, 0], (truth == 0).astype(int))
    assert mine[0].predict(scores[:, 0]) == pytest.approx(own.predict(scores[:, 0]))
    # It is as probable as it was frequent, and most so on its own rows when they come again.
    chance = calibration.probabilities(model, scores)[:, 1]
    seen = calibration.probabilities(model, decision)[:, 1]
    assert seen.mean() == pytest.approx(left / len(held), abs=0.02)
    assert chance[label == 1].mean() > 5 * chance[label != 1].mean()
    assert min(calibration.slopes(model)) > 0


def test_rows_of_one_class_and_of_none_cannot_be_fit() -> None:
    frame, label = some([1], 50)
    with pytest.raises(TrainingError, match=r"50 rows has rows of class c1 alone, and two classes"):
        training.fit(spec(), frame, label)
    with pytest.raises(TrainingError, match=r"50 rows has no row of class c0, and two classes"):
        training.fit(spec(2), frame, label)
    with pytest.raises(TrainingError, match=r"slice of 0 rows has no row, and two classes"):
        training.fit(spec(), frame[:0], label[:0])


def test_what_cannot_be_promised_is_said_by_name_and_number() -> None:
    label = np.r_[np.repeat([0, 1, 3], [400, 300, 4]), np.repeat([0, 1, 2], [50, 3, 60]), [0] * 90]
    cut = Cut(slice(0, 704), slice(704, 817), slice(817, 907))
    told = absent.warnings(spec(5), label, cut)
    assert told == [
        "class c2, c4: none among the 704 rows that fit; the candidate never decides so, with "
        "probability 0",
        "class c3 (4): fewer than 10 among the 704 rows that fit, on which its decision rests",
        "class c1 (3), c3 (0): fewer than 10 with or without it among the 113 rows that calibrate; "
        "its probabilities rise as those of all classes, at its own frequency",
        "class c1, c2, c3, c4: none among the 90 rows that judge; how well it is answered is not "
        "known",
    ]
    softmax = absent.warnings(spec(5, calibration={"method": "temperature"}), label, cut)
    assert "with probability little more than 0" in softmax[0]
    assert len(softmax) == 3
    many = absent.warnings(spec(40), label, cut)
    assert many[0].startswith("class c2, c4, c5, c6, c7, c8 and 31 more: none among the 704 rows")
    unfit = Cut(slice(0, 0), slice(704, 817), slice(817, 907))
    kept = absent.warnings(spec(5), label, unfit, np.array([0, 1, 2]))
    assert kept[0] == "class c3, c4: not learnt by the champion, and not by recalibrating it"
    assert kept[1].startswith("class c1 (3): fewer than 10 with or without it among the 113")
    assert absent.warnings(spec(5), label, unfit)[0].startswith("class c1 (3), c3 (0), c4 (0): few")
    enough = np.tile([0, 1], 60)
    thirds = Cut(slice(0, 40), slice(40, 80), slice(80, 120))
    assert absent.warnings(spec(2), enough, thirds) == []


def stream(label: np.ndarray) -> Any:
    """Return a history of 50 rows an hour of these classes."""
    frame = rows(label, seed=3)
    columns = {"time": np.arange(len(label)) * (3_600_000_000 // 50), "y": label}
    return past.past(columns | {name: frame[name].to_numpy() for name in frame})


POLICY: dict[str, Any] = {
    "window": {"every": "1h", "start": "2026-01-01", "min_rows": 20},
    "training": {"window": "10h"},
    "latch": {"rest": "3h"},
}


def test_a_class_that_comes_late_is_learnt_by_a_retrain() -> None:
    rng = np.random.default_rng(2)
    label = np.r_[rng.choice([0, 1], 1000), rng.choice(3, 2000)]
    played = play(spec(**POLICY), stream(label), 12, timedelta(hours=12))
    assert len(played.steps) == 48
    first = played.bootstrap.accepted.metrics.warnings
    assert first[0].startswith("class c2: none among the 390 rows that fit")
    learnt = [r for r in played.retrains if r.version is not None and not r.warnings]
    assert learnt
    reign = played.rates[learnt[-1].version - 1, 0]
    assert np.nanmean(reign) > np.nanmean(played.rates[0, 0, 10:]) + 0.2


def test_a_class_that_leaves_stops_no_retrain() -> None:
    rng = np.random.default_rng(2)
    label = np.r_[rng.choice(3, 1000), rng.choice([0, 1], 2000)]
    made = stream(label)
    made.frame.loc[1500:, ["x", "z"]] *= -0.5  # so that there is something to retrain for
    played = play(spec(**POLICY), made, 12, timedelta(hours=12))
    assert len(played.steps) == 48
    done = [r for r in played.retrains if r.version is not None]
    assert done
    assert any(line.startswith("class c2: none among the") for line in done[-1].warnings)
    assert played.rates[done[-1].version - 1, 0, -12:].mean() > 0.9
    assert not any(r.untrained for r in played.retrains)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_forty_classes_play_to_the_end() -> None:
    rng = np.random.default_rng(4)
    label = rng.choice(40, 3000)
    corners = rng.normal(scale=2, size=(40, 12))
    names = [f"f{i}" for i in range(12)]
    values = corners[label] + rng.normal(size=(3000, 12))
    values[1500:] *= -0.7
    made = replace(stream(label), frame=pd.DataFrame(values, columns=names))
    forty = spec(40, features={"numeric": names}, **POLICY)
    played = play(forty, made, 12, 12 * HOURS)
    assert len(played.steps) == 48
    told = played.bootstrap.accepted.metrics.warnings
    assert any("and 34 more: fewer than 10 with or without it among the 90" in t for t in told)
    assert np.nanmean(played.rates[0, 0, :15]) > 0.8
    assert played.retrains
    assert not any(r.untrained for r in played.retrains)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wanted", [["c0", "c1", "c2", "c3"], ["c3", "c1", "c2", "c0"]])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_from_before_a_class_was_named_answers_as_before_and_never_with_it(
    method: Any, wanted: list[str], classes: int
) -> None:
    frame, label = some([*range(classes)], 400)
    known = [f"c{i}" for i in range(classes)]
    fitted = training.fit(spec(classes), frame[:200], label[:200])
    old = calibration.learn_probabilities(fitted, frame[200:], label[200:], method)
    new = older_classes.answering(old, known, wanted)
    assert skops_file.dump(old) == skops_file.dump(
        calibration.learn_probabilities(fitted, frame[200:], label[200:], method)
    )
    decision, before = scoring.decision_values(new, frame), scoring.decision_values(old, frame)
    assert decision.shape == (400, 4)
    mine = [wanted.index(name) for name in known]
    each = np.column_stack([-before, before]) if classes == 2 else before
    assert decision[:, mine] == pytest.approx(each, rel=1e-9, abs=1e-9)
    others = np.setdiff1d(np.arange(4), mine)
    assert (decision[:, others] <= each.max(axis=1, keepdims=True) - 1 + 1e-9).all()
    chance = calibration.probabilities(new, decision)
    assert chance == pytest.approx(new.predict_proba(frame), abs=1e-12)
    if method != "temperature":
        assert chance[:, mine] == pytest.approx(old.predict_proba(frame), abs=1e-9)
        assert (chance[:, others] == 0).all()
    at = older_classes.places(known, wanted)
    assert at[[*mine, -1]].tolist() == [*range(classes), -1]
    assert (at[others] == -1).all()
    assert older_classes.answering(old, known, known) is old
    assert older_classes.answering(old, known, wanted[:1]) is old

"""Contributions of features add up to the margins, and to what moved them, exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.arrays import Ints
from tasks.classifier import calibration, scoring, training
from tasks.classifier.encoding import scaler_of
from tasks.classifier.margins import confidence, margin
from tasks.drift import attribution, scored_rows
from tasks.drift.attribution import INTERCEPT, change, change_of_class
from tasks.drift.grid import Grid
from tasks.drift.summary import Summary, merge_all
from tasks.spec.model import ModelSpec

Make = Callable[..., ModelSpec]
KINDS = {
    "numeric": {"numeric": ["x", "z"]},
    "categorical": {"categorical": ["shop"]},
    "mixed": {"numeric": ["x", "z"], "categorical": ["shop"], "text": ["note", "title"]},
}
CLASSES = {2: ["no", "yes"], 3: ["low", "middle", "high"]}
GRID = Grid.even(-50.0, 50.0)
EXACT = {"rel": 1e-9, "abs": 1e-9}


def rows(seed: int, classes: int = 2, count: int = 400) -> tuple[pd.DataFrame, Ints]:
    """Return all features of rows and their labels; models are given the columns of their spec."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    shop = rng.choice(["east", "north", "west"], count)
    score = x + 0.3 * z + 0.5 * (shop == "north") + rng.normal(scale=0.4, size=count)
    label = np.digitize(score, [[0.2], [-0.4, 0.8]][classes - 2]).astype(np.int64)
    words = np.array(["bad stale bread", "fair milk", "good hot tea"])
    note = words[np.where(rng.random(count) < 0.7, label, rng.integers(0, 3, count))]
    frame = {"x": x, "z": z, "shop": shop, "note": note, "title": rng.choice(words, count)}
    return pd.DataFrame(frame), label


@pytest.fixture(params=[2, 3], ids=["two classes", "three classes"])
def classes(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=["mixed", "numeric", "categorical"])
def spec_of_kind(request: pytest.FixtureRequest, spec: Make, classes: int) -> ModelSpec:
    raw = {**spec().model_dump(exclude={"features", "label"}), "features": KINDS[request.param]}
    raw["label"] = {"column": "y", "classes": CLASSES[classes]}
    return ModelSpec.model_validate(raw)


def fitted(spec: ModelSpec) -> Any:
    frame, label = rows(1, len(spec.label.classes))
    return training.fit(spec, frame[list(spec.features.columns)], label)


def of(spec: ModelSpec, model: Any, rows: pd.DataFrame, label: Ints) -> Summary:
    frame = rows[list(spec.features.columns)]
    decision, inputs = scoring.score(model, frame)
    return scored_rows.summarise_rows(spec, GRID, model, frame, label, decision, inputs)


def test_contributions_add_up_to_the_mean_score(spec_of_kind: ModelSpec, classes: int) -> None:
    model = fitted(spec_of_kind)
    frame, _ = rows(2, classes)
    decision, inputs = scoring.score(model, frame)
    sums = attribution.contributions_of_scores(model, inputs, decision)
    assert set(sums) == {*spec_of_kind.features.columns, INTERCEPT}
    assert sum(sums.values()) / len(frame) == pytest.approx(confidence(decision).mean(), **EXACT)


def test_contributions_of_a_class_add_up_to_its_mean_labelled_margin(
    spec_of_kind: ModelSpec, classes: int
) -> None:
    model = fitted(spec_of_kind)
    frame, label = rows(2, classes)
    label[::7] = -1
    decision, inputs = scoring.score(model, frame)
    names = spec_of_kind.label.names
    sums = attribution.contributions_by_class(model, inputs, decision, label, names)
    assert tuple(sums) == names
    for index, name in enumerate(names):
        mine = label == index
        expected = margin(decision[mine], label[mine]).sum()
        assert sum(sums[name].values()) == pytest.approx(expected, **EXACT)


def test_each_row_is_explained_by_its_own_values(spec_of_kind: ModelSpec, classes: int) -> None:
    model = fitted(spec_of_kind)
    frame, _ = rows(2, classes, count=30)
    for number in range(len(frame)):
        decision, inputs = scoring.score(model, frame[number : number + 1])
        sums = attribution.contributions_of_scores(model, inputs, decision)
        assert sum(sums.values()) == pytest.approx(confidence(decision)[0], **EXACT)


def test_a_numeric_feature_gives_its_weight_times_its_scaled_value(spec: Make) -> None:
    plain = spec()
    model = fitted(plain)
    frame, _ = rows(2)
    decision, inputs = scoring.score(model, frame)
    sums = attribution.contributions_of_scores(model, inputs, decision)
    scaler, _ = scaler_of(model["features"].named_transformers_["numeric"])
    weights = model["model"].coef_[0]
    scaled = (frame[["x", "z"]].to_numpy() - scaler.mean_) / scaler.scale_
    expected = dict(zip(("x", "z"), (scaled * weights).sum(axis=0), strict=True))
    assert sums == pytest.approx({**expected, INTERCEPT: 400 * model["model"].intercept_[0]})


def test_a_calibrated_model_is_explained_like_the_one_inside(
    spec_of_kind: ModelSpec, classes: int
) -> None:
    model = fitted(spec_of_kind)
    frame, label = rows(2, classes)
    calibrated = calibration.learn_probabilities(model, frame, label, "sigmoid")
    one, two = (of(spec_of_kind, m, frame, label) for m in (model, calibrated))
    assert one.contributions == two.contributions
    assert one.class_contributions == two.class_contributions


def test_changes_add_up_to_the_change_of_the_mean(spec_of_kind: ModelSpec, classes: int) -> None:
    model = fitted(spec_of_kind)
    frame, label = rows(3, classes, count=250)
    frame["x"] += 0.7
    frame.loc[:80, "shop"] = "elsewhere"
    window = of(spec_of_kind, model, frame, label)
    reference = of(spec_of_kind, model, *rows(2, classes))
    moved = change(window, reference)
    means = [s.scores.moments.mean for s in (window, reference)]
    assert sum(moved.values()) == pytest.approx(means[0] - means[1], **EXACT)
    sizes = [abs(value) for value in moved.values()]
    assert sizes == sorted(sizes, reverse=True)
    for name in spec_of_kind.label.names:
        by_class = change_of_class(window, reference, name)
        margins = [s.classes[name].margin / s.classes[name].rows for s in (window, reference)]
        assert sum(by_class.values()) == pytest.approx(margins[0] - margins[1], **EXACT)


def test_of_two_classes_the_intercept_never_moves_the_mean(spec: Make) -> None:
    plain = spec()
    model = fitted(plain)
    moved = change(of(plain, model, *rows(3, count=70)), of(plain, model, *rows(2)))
    assert moved[INTERCEPT] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("broken", ["x", "z"])
def test_a_feature_that_is_multiplied_by_100_comes_first(
    spec: Make, classes: int, broken: str
) -> None:
    mixed = spec(features=KINDS["mixed"], label={"classes": CLASSES[classes]})
    model = fitted(mixed)
    frame, label = rows(3, classes)
    frame[["x", "z"]] += 0.5
    reference = of(mixed, model, frame, label)
    frame[broken] *= 100
    assert next(iter(change(of(mixed, model, frame, label), reference))) == broken


def test_a_class_without_rows_moved_nothing(spec_of_kind: ModelSpec, classes: int) -> None:
    model = fitted(spec_of_kind)
    reference = of(spec_of_kind, model, *rows(2, classes))
    frame, label = rows(3, classes)
    first, last = (CLASSES[classes][i] for i in (0, -1))
    window = of(spec_of_kind, model, frame, np.where(label == 0, -1, label))
    assert set(window.class_contributions[first].values()) == {0.0}
    for one, other in ((window, reference), (reference, window)):
        assert change_of_class(one, other, first) == {}
        assert change_of_class(one, other, last) != {}


def test_what_was_not_scored_moved_nothing_that_is_known(spec: Make) -> None:
    plain = spec()
    scored = of(plain, fitted(plain), *rows(2))
    logged = Summary(GRID, scored.scores, scored.margins, 0, scored.losses, scored.classes)
    assert change(logged, scored) == change(scored, logged) == {}
    assert change_of_class(logged, scored, "1") == change_of_class(scored, logged, "1") == {}


def test_batches_give_the_contributions_of_all_their_rows(
    spec_of_kind: ModelSpec, classes: int
) -> None:
    model = fitted(spec_of_kind)
    frame, label = rows(2, classes)
    parts = [slice(0, 1), slice(1, 130), slice(130, 400)]
    merged = merge_all([of(spec_of_kind, model, frame[p], label[p]) for p in parts])
    whole = of(spec_of_kind, model, frame, label)
    assert merged.contributions == pytest.approx(whole.contributions, **EXACT)
    assert set(merged.class_contributions) == set(whole.class_contributions)
    for name, sums in whole.class_contributions.items():
        assert merged.class_contributions[name] == pytest.approx(sums, **EXACT)


@pytest.mark.parametrize("name", ["numeric", "categorical", "model", "re__mark"])
def test_a_text_column_may_have_any_name(spec: Make, name: str) -> None:
    frame, label = rows(1)
    frame = frame.rename(columns={"note": name})
    odd = spec(features={"numeric": ["x"], "categorical": ["shop"], "text": [name]})
    frame = frame[list(odd.features.columns)]
    model = training.fit(odd, frame, label)
    decision, inputs = scoring.score(model, frame)
    sums = attribution.contributions_of_scores(model, inputs, decision)
    assert set(sums) == {"x", "shop", name, INTERCEPT}
    assert sum(sums.values()) == pytest.approx(decision.sum(), **EXACT)

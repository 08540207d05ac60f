"""Training: time-ordered slices, both estimators, every kind of feature, exact repeats."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.classifier import scoring, training
from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import gather
from tasks.data.frame import feature_frame
from tasks.spec.model import ModelSpec

Make = Callable[..., ModelSpec]
MIXED = {"numeric": ["x", "z"], "categorical": ["shop"], "text": ["note"]}
ESTIMATORS = pytest.mark.parametrize("estimator", ["linear_svc", "sgd_hinge"])


def batch(count: int = 200, **columns: Any) -> pa.RecordBatch:
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, count))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    plain = {
        # Two rows share each time, so that the key decides their order.
        "time": [start + timedelta(minutes=i // 2) for i in range(count)],
        "id": [f"{i:05}" for i in range(count)],
        "x": x,
        "z": z,
        "shop": rng.choice(["north", "south"], count),
        "note": np.where(x > 0, "good tea", "bad bread"),
        "y": (x + 0.3 * z + rng.normal(scale=0.3, size=count) > 0).astype(int),
    }
    return pa.RecordBatch.from_pydict(plain | columns)


def fitted(spec: ModelSpec, batches: Any) -> Any:
    rows = gather(spec, batches)
    return training.fit(spec, rows.frame, rows.label)


def coefficients(spec: ModelSpec, *batches: pa.RecordBatch) -> Any:
    model = fitted(spec, batches)["model"]
    return np.append(model.coef_, model.intercept_)


@ESTIMATORS
def test_a_class_without_rows_is_decided_for_nowhere(spec: Make, estimator: str) -> None:
    training_of = {"estimator": estimator}
    three = spec(label={"classes": ["no", "perhaps", "yes"]}, training=training_of)
    found = gather(three, [batch(y=["no", "yes"] * 100)])
    frame, label = found.frame, found.label
    decision = scoring.decision_values(training.fit(three, frame, label), frame)
    assert decision.shape == (200, 3)
    assert (decision.argmax(axis=1) != 1).all()


@ESTIMATORS
def test_both_estimators_learn_the_rule(spec: Make, estimator: str) -> None:
    one = spec(training={"estimator": estimator})
    found = gather(one, [batch()])
    frame, label = found.frame, found.label
    decision = scoring.decision_values(training.fit(one, frame, label), frame)
    assert decision.shape == (200,)
    assert ((decision > 0) == label).mean() > 0.85


@ESTIMATORS
def test_an_unknown_category_or_word_scores_without_error(spec: Make, estimator: str) -> None:
    mixed = spec(features=MIXED, training={"estimator": estimator})
    model = fitted(mixed, [batch()])
    new = batch(4, shop=["north", "moon", "", "south"], note=["", "???", "good", "unheard"])
    decision = scoring.decision_values(model, feature_frame(mixed, new))
    assert np.isfinite(decision).all()


@ESTIMATORS
def test_the_order_in_which_rows_arrive_does_not_change_the_model(
    spec: Make, estimator: str
) -> None:
    mixed = spec(features=MIXED, training={"estimator": estimator})
    rows = batch()
    order = np.random.default_rng(0).permutation(200)
    expected = coefficients(mixed, rows)
    assert (coefficients(mixed, rows) == expected).all()
    assert (coefficients(mixed, rows.take(pa.array(order))) == expected).all()
    assert (coefficients(mixed, rows.slice(150), rows.slice(0, 150)) == expected).all()


def test_rows_without_a_known_label_are_left_out(spec: Make) -> None:
    labels = [None, 1, 0, 7] * 50
    found = gather(spec(), [batch(y=labels)])
    frame, label = found.frame, found.label
    assert label.tolist() == [1, 0] * 50
    assert frame["x"].tolist() == [
        x for x, y in zip(batch()["x"].to_pylist(), labels, strict=True) if y in (0, 1)
    ]


@pytest.mark.parametrize(
    "labels", [[1.0, None] * 10, pa.nulls(20), None], ids=["double", "null", "absent"]
)
def test_files_may_type_labels_not_yet_known_in_their_own_way(spec: Make, labels: Any) -> None:
    names = [n for n in batch().schema.names if n != "y" or labels is not None]
    second = batch(20, y=labels if labels is not None else [0] * 20).select(names)
    label = gather(spec(), [batch(20, y=[0, 1] * 10), second]).label
    assert len(label) == (30 if isinstance(labels, list) else 20)


def test_a_category_is_its_text_whatever_type_a_store_gives_it(spec: Make) -> None:
    shops = spec(features={"categorical": ["shop"]})
    numbers = [7, 12] * 100
    stores = {
        "integers": numbers,
        "texts": [str(n) for n in numbers],
        "dictionary": pa.array([str(n) for n in numbers]).dictionary_encode(),
    }
    read = {k: feature_frame(shops, batch(shop=v))["shop"].tolist() for k, v in stores.items()}
    assert read["integers"] == read["texts"] == read["dictionary"]
    assert len({tuple(coefficients(shops, batch(shop=v))) for v in stores.values()}) == 1


@ESTIMATORS
def test_a_column_that_was_constant_gets_no_weight_when_it_comes_alive(
    spec: Make, estimator: str
) -> None:
    one = spec(training={"estimator": estimator})
    model = fitted(one, [batch(z=[0.4] * 200)])
    weight = model["model"].coef_[0, 1]
    assert weight == pytest.approx(0, abs=1e-9)
    still, alive = (pd.DataFrame({"x": [0.5], "z": [z]}) for z in (0.4, 1000.0))
    gap = scoring.decision_values(model, still) - scoring.decision_values(model, alive)
    assert gap == pytest.approx(0, abs=1e-5)


def bundle(kind: str) -> tuple[dict[str, Any], pd.DataFrame, Any]:
    """Return features, rows and labels of a kind that estimators find hard."""
    rng = np.random.default_rng(5)
    n = 3000
    if kind == "text":
        common = 1 / np.arange(1, 1500)
        share = [np.roll(common, 30 * k) / common.sum() for k in (0, 1)]
        label = rng.integers(0, 2, n)
        words = np.array([f"w{i}" for i in range(1, 1500)])
        notes = [" ".join(rng.choice(words, 25, p=share[k])) for k in label]
        return {"text": ["note"]}, pd.DataFrame({"note": notes}), label
    x = rng.normal(size=(n, 4))
    noisy = x + rng.normal(size=(n, 4))
    if kind == "three classes":
        label = noisy[:, :3].argmax(axis=1)
    else:
        label = (noisy[:, 0] + noisy[:, 1] > (4.0 if kind == "imbalanced" else 0.0)).astype(int)
    if kind == "outlier":
        x[7, 2] = 1e9
    names = ["a", "b", "c", "d"]
    frame = pd.DataFrame(x, columns=names)
    if kind == "mixed":
        frame["shop"] = rng.choice(["n", "s", "w"], n)
        return {"numeric": names, "categorical": ["shop"]}, frame, label
    return {"numeric": names}, frame, label


def objective(fitted: Any, frame: pd.DataFrame, label: Any, weights: Any) -> float:
    """Return |w|²/2 + b²/2 + Σ weight · hinge, one class against the rest, summed over classes."""
    model, rows = fitted["model"], fitted["features"].transform(frame)
    total = 0.0
    for place, (w, b) in enumerate(zip(model.coef_, model.intercept_, strict=True)):
        positive = label == (1 if len(model.coef_) == 1 else place)
        margins = np.where(positive, 1, -1) * (rows @ w + b)
        total += (w @ w + b * b) / 2 + weights(positive, place) @ np.maximum(0, 1 - margins)
    return float(total)


@pytest.mark.parametrize("weighting", ["none", "balanced"])
@pytest.mark.parametrize(
    "kind", ["dense", "text", "mixed", "imbalanced", "three classes", "outlier"]
)
def test_both_estimators_reach_the_same_objective(spec: Make, kind: str, weighting: str) -> None:
    features, frame, label = bundle(kind)
    counts = np.bincount(label)
    balanced = len(label) / (len(counts) * counts)

    def weights(positive: Any, place: int) -> Any:
        if weighting == "none":
            return np.ones(len(positive))
        if len(counts) == 2:
            return balanced[label]
        return np.where(positive, balanced[place], 1.0)  # one class against all others

    reached = {}
    for estimator in ("linear_svc", "sgd_hinge"):
        one = spec(
            features={"numeric": [], **features},
            label={"classes": [*range(len(counts))]},
            training={"estimator": estimator, "weighting": weighting},
        )
        reached[estimator] = objective(training.fit(one, frame, label), frame, label, weights)
    assert reached["sgd_hinge"] == pytest.approx(reached["linear_svc"], rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_a_number_that_cannot_be_squared_is_named_before_the_fit(spec: Make, bad: float) -> None:
    one = spec()
    found = gather(one, [batch()])
    frame, label = found.frame, found.label
    frame.loc[3, "z"] = bad
    match = r"z is not finite, or beyond 1e\+150, in 1 of the 200 rows of the fitting slice; repair"
    with pytest.raises(TrainingError, match=match):
        training.fit(one, frame, label)

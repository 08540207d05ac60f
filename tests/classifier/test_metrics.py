"""Streaming hinge metrics, against Keras itself."""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.arrays import Floats
from tasks.classifier.margins import hinge, margin
from tasks.classifier.metrics import CategoricalHinge, Hinge, SquaredHinge

KINDS = (Hinge, SquaredHinge, CategoricalHinge)
Batch = tuple[Floats, Floats, Floats | None]

# Keras rounds to single precision whatever its dtype; of eighths, only where it divides.
eighths = st.integers(-128, 128).map(lambda n: n / 8)
every_kind = pytest.mark.parametrize("kind", KINDS)
sizes = st.integers(1, 6)
shapes = st.one_of(
    st.tuples(sizes),
    st.tuples(sizes, st.just(1)),
    st.tuples(sizes, sizes),
    st.tuples(sizes, sizes, sizes),
)


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Import Keras on its NumPy backend, with a home of its own: it writes a configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "numpy")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        import keras
    assert keras.backend.backend() == "numpy"
    return keras


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Draw labels of either coding, scores, and no weights or weights of a shape Keras takes."""
    shape = draw(shapes)
    label = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from((0.0, 1.0))))
    if draw(st.booleans()):
        label = 2 * label - 1
    decision = draw(hnp.arrays(np.float64, shape, elements=eighths))
    loss = shape[:-1]
    wide = draw(st.sampled_from([None, (), (1,) * len(loss), loss, loss[:1], (*loss, 1)]))
    if wide is None:
        return label, decision, None
    weight = draw(hnp.arrays(np.float64, wide, elements=eighths.map(abs)))
    return label, decision, weight


def seen(kind: type, parts: list[Batch]) -> Any:
    metric = kind()
    for part in parts:
        metric.update_state(*part)
    return metric


def state(metric: Any) -> list[float]:
    # Keras' NumPy backend divides by 0 before it puts the quotient aside.
    with np.errstate(invalid="ignore"):
        return [float(value) for value in (metric.total, metric.count, metric.result())]


def assert_same(left: Any, right: Any) -> None:
    assert state(left) == pytest.approx(state(right), rel=1e-12, abs=0.0)


several = st.lists(batches(), max_size=5)


@every_kind
@settings(max_examples=100, deadline=None)
@given(parts=several)
def test_every_batch_brings_the_result_of_keras(keras: Any, kind: type, parts: list[Batch]) -> None:
    ours, theirs = kind(), getattr(keras.metrics, kind.__name__)(dtype="float64")
    for part in parts:
        ours.update_state(*part)
        theirs.update_state(*part)
        assert state(ours) == pytest.approx(state(theirs), rel=1e-6)


@every_kind
@settings(max_examples=30, deadline=None)
@given(label=hnp.arrays(np.float64, (4, 3), elements=st.sampled_from((-1.0, 0.0, 0.5, 1.0, 2.0))))
def test_labels_of_no_coding_are_taken_as_keras_takes_them(
    keras: Any, kind: type, label: Floats
) -> None:
    ours, theirs = kind(), getattr(keras.metrics, kind.__name__)(dtype="float64")
    for metric in (ours, theirs):
        metric.update_state(label, np.linspace(-2.0, 3.5, 12).reshape(4, 3))
    assert state(ours) == pytest.approx(state(theirs), rel=1e-6)


def test_weights_of_every_shape_are_taken_or_refused_as_keras_does(keras: Any) -> None:
    def outcome(metric: Any, *batch: Floats) -> list[float]:
        try:
            metric.update_state(*batch)
        except ValueError:
            return []
        return state(metric)

    every = [shape for rank in range(4) for shape in product((1, 2, 3), repeat=rank)]
    for shape, wide in product(every[1:], every):
        decision, weight = (np.arange(np.prod(s)).reshape(s) / 8 for s in (shape, wide))
        batch = decision % 0.25 * 8, decision, weight
        theirs = outcome(keras.metrics.Hinge(dtype="float64"), *batch)
        assert outcome(Hinge(), *batch) == pytest.approx(theirs, rel=1e-6), (shape, wide)


@pytest.mark.parametrize(
    ("kind", "plain", "weighted"),
    [(Hinge, 1.3, 1.1), (SquaredHinge, 1.86, 1.46), (CategoricalHinge, 1.4, 1.2)],
)
def test_the_examples_of_keras_documentation_hold(
    kind: type, plain: float, weighted: float
) -> None:
    metric, batch = kind(), ([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    metric.update_state(*batch)
    assert metric.result() == pytest.approx(plain)
    metric.reset_state()
    metric.update_state(*batch, sample_weight=[1, 0])
    assert metric.result() == pytest.approx(weighted)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, (20, 3), elements=st.floats(-100, 100)), st.data())
def test_the_categorical_hinge_is_that_of_the_margin_with_a_0_among_the_others(
    decision: Floats, data: st.DataObject
) -> None:
    label = data.draw(hnp.arrays(np.int64, 20, elements=st.integers(0, 2)))
    best = decision[np.arange(20), label] - margin(decision, label)
    others = np.maximum(best, 0.0)
    metric = CategoricalHinge()
    metric.update_state(np.eye(3)[label], decision)
    expected = hinge(decision[np.arange(20), label] - others).mean()
    assert metric.result() == pytest.approx(expected)


@every_kind
@settings(max_examples=30, deadline=None)
@given(one=several, two=several)
def test_a_merge_is_commutative(kind: type, one: list[Batch], two: list[Batch]) -> None:
    a, b = seen(kind, one), seen(kind, two)
    assert a.merge(b) == b.merge(a)


@every_kind
@settings(max_examples=30, deadline=None)
@given(one=several, two=several, three=several)
def test_a_merge_is_associative(
    kind: type, one: list[Batch], two: list[Batch], three: list[Batch]
) -> None:
    a, b, c = (seen(kind, parts) for parts in (one, two, three))
    assert_same(a.merge(b).merge(c), a.merge(b.merge(c)))


@every_kind
@settings(max_examples=30, deadline=None)
@given(parts=several, data=st.data())
def test_however_the_batches_are_split_the_merge_is_that_of_one_pass(
    kind: type, parts: list[Batch], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(parts)), max_size=4)))
    bounds = zip([0, *cuts], [*cuts, len(parts)], strict=True)
    merged = reduce(kind.merge, (seen(kind, parts[low:high]) for low, high in bounds))
    assert_same(merged, seen(kind, parts))


@every_kind
@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 30), max_size=4).map(sorted))
def test_however_the_rows_are_split_the_merge_is_that_of_one_batch(
    kind: type, cuts: list[int]
) -> None:
    draw = np.random.default_rng(7)
    decision, weight = draw.normal(size=(30, 3)), draw.uniform(size=30)
    columns = np.eye(3)[draw.integers(0, 3, 30)], decision, weight
    parts = zip(*(np.split(column, cuts) for column in columns), strict=True)
    merged = reduce(kind.merge, (seen(kind, [part]) for part in parts))
    assert_same(merged, seen(kind, [columns]))


@every_kind
def test_a_merge_leaves_both_metrics_as_they_were(kind: type) -> None:
    one, two = kind(2.0, 4.0), kind(1.0, 2.0)
    merged = one.merge(two)
    merged.update_state([[1.0]], [[0.0]])
    assert (one, two) == (kind(2.0, 4.0), kind(1.0, 2.0))


def test_metrics_of_two_kinds_do_not_merge() -> None:
    with pytest.raises(TypeError, match=r"Hinge merges with its own kind, not with SquaredHinge\("):
        Hinge().merge(SquaredHinge())  # type: ignore[arg-type]


@every_kind
def test_a_metric_that_has_seen_nothing_is_0(kind: type) -> None:
    assert kind().result() == 0.0


@every_kind
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
def test_an_empty_batch_adds_nothing(kind: type, shape: tuple[int, ...]) -> None:
    metric = kind(3.0, 4.0)
    metric.update_state(np.empty(shape), np.empty(shape))
    metric.update_state(np.empty(shape), np.empty(shape), 2.0)
    assert metric == kind(3.0, 4.0)


@every_kind
def test_weights_that_are_all_0_give_0_as_in_keras(keras: Any, kind: type) -> None:
    for metric in (kind(), getattr(keras.metrics, kind.__name__)(dtype="float64")):
        metric.update_state([[1.0, 0.0]], [[-2.0, 3.0]], [0.0])
        assert state(metric) == [0.0, 0.0, 0.0]


@every_kind
def test_a_reset_metric_is_a_new_one(kind: type) -> None:
    metric = seen(kind, [(np.eye(3), np.eye(3) / 2, np.array([1.0, 2.0, 3.0]))])
    assert metric != kind()
    metric.reset_state()
    assert metric == kind()


@every_kind
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (([[1], [0]], [[0.5], [np.nan]]), r"y_pred has nan at \(1, 0\)"),
        (([[1], [0]], [[np.inf], [0.5]]), r"y_pred has inf at \(0, 0\)"),
        (([[np.nan], [0]], [[0.5], [0.5]]), r"y_true has nan at \(0, 0\)"),
        (([1, 0], [[0.5], [0.5]]), r"y_true has shape \(2,\) and y_pred \(2, 1\): give both"),
        ((1, 0.5), r"y_true has shape \(\) and y_pred \(\): give both the same"),
        (([[1], [0]], [[0.5], [0.5]], [1, np.nan]), r"sample_weight has nan at \(1,\)"),
        (([[1], [0]], [[0.5], [0.5]], [1, -2]), r"sample_weight has -2.0: weights are 0 or more"),
        (([[1], [0]], [[0.5], [0.5]], [1, 2, 3]), r"shape \(3,\) and the losses \(2,\): give a"),
        (([1, 0], [0.5, 0.5], [1, 2]), r"shape \(2,\) and the losses \(\): give a weight"),
    ],
)
def test_bad_input_is_named_and_leaves_the_state_as_it_was(
    kind: type, batch: Any, message: str
) -> None:
    metric = kind(3.0, 4.0)
    with pytest.raises(ValueError, match=message):
        metric.update_state(*batch)
    assert metric == kind(3.0, 4.0)

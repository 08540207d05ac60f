"""Summaries: mergeable, exact, small, and without a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.arrays import Floats, Ints
from tasks.classifier.finite import NotFinite
from tasks.drift.grid import Bins, Grid
from tasks.drift.loss_sums import Losses
from tasks.drift.moments import Moments
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Distribution, Summary, merge, merge_all, summarise
from tasks.drift.summary_json import from_json, to_json
from tasks.formats import OtherFormat

GRID = Grid.even(-6.0, 6.0, bins=64)
CLASSES = ("no", "yes")


def of(
    decision: Floats,
    label: Ints,
    feature: Floats | None = None,
    weight: Floats | None = None,
    grid: Grid = GRID,
) -> Summary:
    values = decision if feature is None else feature
    return summarise(
        grid,
        decision,
        label,
        CLASSES,
        {"x": values},
        weight=weight,
        contributions=sums(values),
        class_contributions={n: sums(values[label == i]) for i, n in enumerate(CLASSES)},
    )


def sums(values: Floats) -> dict[str, float]:
    return {"x": float(0.5 * values.sum()), "(intercept)": 0.3 * len(values)}


@st.composite
def batches(draw: st.DrawFn) -> tuple[Floats, Ints, Floats, Floats]:
    n = draw(st.integers(0, 30))
    decision = draw(hnp.arrays(np.float64, n, elements=st.floats(-9, 9, width=32)))
    label = draw(hnp.arrays(np.int64, n, elements=st.integers(-1, 1)))
    feature = draw(hnp.arrays(np.float64, n, elements=st.floats(-1e6, 1e6)))
    return decision, label, feature, draw(hnp.arrays(np.float64, n, elements=st.floats(0, 100)))


def numbers(value: Any) -> Iterator[float]:
    """Yield every number in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield value


def assert_same(left: Summary, right: Summary) -> None:
    """Compare two summaries: counts and bounds exactly, sums and moments to rounding."""
    for kind in ("scores", "margins"):
        ours, theirs = getattr(left, kind), getattr(right, kind)
        np.testing.assert_array_equal(ours.counts, theirs.counts)
        np.testing.assert_array_equal(ours.sums, theirs.sums)
        assert ours.moments == close_to(theirs.moments)
    assert (left.grid, left.inside) == (right.grid, right.inside)
    assert {k: vars(v) for k, v in left.classes.items()} == {
        k: pytest.approx(vars(v), rel=1e-9, abs=1e-9) for k, v in right.classes.items()
    }
    assert vars(left.losses) == pytest.approx(vars(right.losses), rel=1e-9, abs=1e-9)
    assert left.features["x"] == close_to(right.features["x"])
    # Contributions cancel each other: their features' size sets the scale.
    m = right.features["x"]
    exact = {"rel": 1e-9, "abs": 1e-9 * (1 + m.norm * m.n**0.5 + abs(m.mean) * m.n)}
    assert left.contributions == pytest.approx(right.contributions, **exact)
    assert set(left.class_contributions) == set(right.class_contributions)
    for name, moved in right.class_contributions.items():
        assert left.class_contributions[name] == pytest.approx(moved, **exact)


def close_to(moments: Moments) -> Any:
    # A mean near 0 has no relative precision of its own: its values' size sets the scale.
    size = abs(moments.mean) + moments.norm / moments.n**0.5 if moments.n else 0.0
    return replace(
        moments,
        mean=pytest.approx(moments.mean, rel=1e-9, abs=1e-12 * size),
        norm=pytest.approx(moments.norm, rel=1e-9, abs=1e-7 * size),
    )


@settings(max_examples=40, deadline=None)
@given(batches(), batches())
def test_a_merge_is_commutative(one: Any, two: Any) -> None:
    assert_same(merge(of(*one), of(*two)), merge(of(*two), of(*one)))


@settings(max_examples=40, deadline=None)
@given(batches(), batches(), batches())
def test_a_merge_is_associative(one: Any, two: Any, three: Any) -> None:
    a, b, c = of(*one), of(*two), of(*three)
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))


@settings(max_examples=40, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=4))
def test_a_merge_is_the_summary_of_the_rows_together(parts: list[Any]) -> None:
    together = of(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    assert_same(merge_all([of(*part) for part in parts]), together)


@settings(max_examples=40, deadline=None)
@given(batches())
def test_an_empty_batch_adds_nothing(batch: Any) -> None:
    empty = of(np.empty(0), np.empty(0, dtype=np.int64))
    summary = of(*batch)
    assert to_json(merge(summary, empty)) == to_json(summary) == to_json(merge(empty, summary))


@settings(max_examples=40, deadline=None)
@given(batches())
def test_a_summary_survives_json(batch: Any) -> None:
    summary = of(*batch)
    text = json.dumps(to_json(summary), allow_nan=False)
    back = from_json(json.loads(text))
    assert json.dumps(to_json(back)) == text
    assert_same(merge(back, summary), merge(summary, summary))


@settings(max_examples=40, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=4))
def test_the_spread_of_a_classs_margins_is_kept_however_windows_were_merged(
    parts: list[Any],
) -> None:
    whole = merge_all([of(d, y) for d, y, *_ in parts])
    for index, name in enumerate(CLASSES):
        margins = np.concatenate([(d if index else -d)[y == index] for d, y, *_ in parts])
        losses = whole.classes[name]
        assert losses.squared_margin == pytest.approx(float(margins @ margins))
        if len(margins):
            assert losses.margin_variance == pytest.approx(np.var(margins), abs=1e-9)


def test_a_summary_from_before_squares_of_margins_were_kept_does_not_know_them() -> None:
    now = of(np.array([-2.0, 0.5, 3.0]), np.array([0, 0, -1]))
    raw = json.loads(json.dumps(to_json(now)))
    for losses in (raw["losses"], *raw["classes"].values()):
        del losses["squared_margin"]
    old = from_json(raw)
    assert old.losses.squared_margin is None
    assert old.losses.margin_variance is None
    assert old.losses.details == now.losses.details
    # Of a class without rows the sum is known: it is 0.
    assert {n: c.squared_margin for n, c in old.classes.items()} == {"no": None, "yes": 0.0}
    # What is known of one part only is not known of both, and stays so when it is stored again.
    both = merge(now, old)
    assert both.losses.squared_margin is None
    assert both.losses.rows == 4
    assert from_json(json.loads(json.dumps(to_json(both)))).losses == both.losses


def test_a_summary_of_known_rows() -> None:
    decision = np.array([-2.0, -0.5, 0.5, 2.0, 9.0])
    summary = of(decision, np.array([0, 1, 1, 0, -1]))
    assert (summary.rows, summary.labelled, summary.inside) == (5, 4, 2)
    # The margins are 2, -0.5, 0.5 and -2.
    assert summary.losses.hinge_loss == (0 + 1.5 + 0.5 + 3) / 4
    assert summary.losses.hinge_variance == pytest.approx(np.var([0, 1.5, 0.5, 3]))
    assert (summary.losses.violation_rate, summary.losses.error_rate) == (0.75, 0.5)
    assert {name: (c.rows, c.errors) for name, c in summary.classes.items()} == {
        "no": (2, 1),
        "yes": (2, 1),
    }
    assert summary.scores.counts.sum() == 5
    assert summary.scores.counts[-1] == 1  # 9 lies above the grid
    assert summary.features["x"].deviation == pytest.approx(np.std(decision, ddof=1))


finite = st.floats(-9, 9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(finite, st.integers(1, 5)), min_size=1, max_size=30))
def test_a_weight_counts_like_as_many_rows(rows: list[tuple[float, int]]) -> None:
    margins, times = (np.array(column) for column in zip(*rows, strict=True))
    once = Losses.of(margins, times.astype(np.float64))
    repeated = Losses.of(np.repeat(margins, times))
    assert once.details == pytest.approx(repeated.details, rel=1e-9, abs=1e-9)
    assert once.hinge_variance == pytest.approx(repeated.hinge_variance, rel=1e-9, abs=1e-9)
    assert (once.rows, once.weight) == (len(rows), repeated.rows)
    assert 1 - 1e-9 <= once.effective_rows <= once.rows + 1e-9


@settings(max_examples=50, deadline=None)
@given(batches())
def test_the_losses_of_the_classes_add_up_to_the_whole(batch: Any) -> None:
    summary = of(*batch)
    together = Losses()
    for losses in summary.classes.values():
        together = together.merge(losses)
    assert vars(together) == pytest.approx(vars(summary.losses), rel=1e-9, abs=1e-9)


def test_rows_without_a_weight_leave_the_losses_and_stay_in_the_distributions() -> None:
    decision, label = np.array([-2.0, 0.5, 0.25]), np.array([1, 1, 0])
    weighted = of(decision, label, weight=np.array([0.0, 2.0, 2.0]))
    assert (weighted.rows, weighted.labelled, weighted.margins.moments.n) == (3, 3, 3)
    assert weighted.losses.effective_rows == 2
    assert weighted.losses.details == of(decision[1:], label[1:]).losses.details


@pytest.mark.parametrize("n", [1, 4, 100])
def test_the_loss_tail_ratio_is_1_of_equal_losses_and_most_of_a_single_one(n: int) -> None:
    assert Losses.of(np.full(n, 0.4)).loss_tail_ratio == pytest.approx(1)
    assert Losses.of(np.full(n, 5.0)).loss_tail_ratio == 1
    assert Losses.of(np.array([-7.0, *[1.0] * (n - 1)])).loss_tail_ratio == pytest.approx(n**0.5)


def test_the_details_of_known_margins() -> None:
    details = Losses.of(np.array([2.0, -0.5, 0.5, -2.0])).details
    assert details == pytest.approx(
        {
            "accuracy": 0.5,
            "hinge_loss": 1.25,
            "violation_rate": 0.75,
            "error_rate": 0.5,
            "squared_hinge": (1.5**2 + 0.5**2 + 3**2) / 4,
            "margin": 0,
            "unsigned_margin": 1.25,
            "loss_tail_ratio": (11.5 / 4) ** 0.5 / 1.25,
        }
    )


def test_no_labelled_row_is_worth_no_effective_one() -> None:
    assert Losses().effective_rows == Losses.of(np.empty(0)).effective_rows == 0


def test_more_than_two_classes_are_summarised_by_their_leads() -> None:
    decision = np.array([[2.0, 0.5, 0.0], [0.0, 0.25, 1.0]])
    summary = summarise(GRID, decision, np.array([0, 1]), ("a", "b", "c"), {})
    assert summary.scores.moments.mean == pytest.approx((1.5 + 0.75) / 2)
    assert summary.margins.moments.mean == pytest.approx((1.5 - 0.75) / 2)
    assert [losses.rows for losses in summary.classes.values()] == [1, 1, 0]


def test_a_big_window_holds_no_row() -> None:
    rng = np.random.default_rng(7)
    n = 100_000
    decision = rng.uniform(-1, 1, n)
    grid = Grid.around(decision, decision)
    features = {f"a_feature_with_a_name_{i}": rng.normal(size=n) for i in range(20)}
    raw = to_json(summarise(grid, decision, rng.integers(0, 2, n), CLASSES, features))
    assert len(raw["scores"]["steps"]) > 500
    found = list(numbers(raw))
    assert len(found) < n / 10
    extremes = {float(f(decision)) for f in (np.min, np.max)}
    assert len(set(found) & set(decision.tolist()) - extremes) == 0


@pytest.mark.parametrize("atoms", [False, True])
def test_a_summary_of_a_billion_rows_and_twenty_features_fits_in_64_kilobytes(atoms: bool) -> None:
    rng = np.random.default_rng(8)
    # As many bins as a reference can ask for: 208 values, each shared by 0.48 % of its rows.
    scores = rng.standard_t(2, 208).repeat(50) if atoms else rng.standard_t(2, 20_000)
    grid = Grid.around(scores, -scores)
    names = [f"a_feature_with_a_name_{i}" for i in range(20)]

    def full(bins: Bins) -> Distribution:
        counts = rng.integers(100_000, 1_000_000, len(bins), endpoint=True)
        sums = np.round((bins.lefts + rng.random(len(bins)) * 10) * counts)
        return Distribution(counts, sums, Moments(int(counts.sum()), *rng.normal(size=2)))

    def some() -> dict[str, float]:
        return {name: float(rng.normal() * 1e6) for name in [*names, "(intercept)"]}

    margins = rng.normal(size=1000)
    losses = Losses.of(margins, rng.random(1000) * 1e6)
    summary = Summary(
        grid,
        full(grid.scores),
        full(grid.margins),
        10**9,
        losses,
        dict.fromkeys(CLASSES, losses),
        {name: Moments.of(rng.normal(size=9)) for name in names},
        some(),
        {name: some() for name in CLASSES},
        ReliabilityTable.of(
            rng.dirichlet([1, 1], 1000), rng.integers(0, 2, 1000), rng.random(1000)
        ),
    )
    assert len(json.dumps(to_json(summary), separators=(",", ":"))) < 64 * 1024


def test_a_reference_of_many_rows_holds_none_of_them() -> None:
    rng = np.random.default_rng(9)
    decision = rng.normal(size=20_000)
    label = rng.integers(0, 2, 20_000)
    grid = Grid.around(decision, np.where(label == 1, decision, -decision))
    found = {abs(n) for n in numbers(to_json(summarise(grid, decision, label, CLASSES, {})))}
    assert not found & {*np.abs(decision).tolist()}


def test_the_summary_of_another_format_is_named() -> None:
    raw = to_json(of(np.array([0.5]), np.array([1])))
    assert raw["format"] == 2
    with pytest.raises(OtherFormat, match=r"format 1, and this code reads format 2; run"):
        from_json({k: v for k, v in raw.items() if k != "format"})
    with pytest.raises(OtherFormat, match=r"summary x.json has the format 3, .* newer Gatelatch"):
        from_json({**raw, "format": 3}, "summary x.json")


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e305, 1e305)),
    st.integers(0, 40),
    st.integers(-1020, 0),
)
def test_moments_of_any_finite_numbers_are_those_of_fractions(
    values: Floats, cut: int, power: int
) -> None:
    values = np.ldexp(values, power)
    exact = [Fraction(v) for v in values.tolist()]
    mean = sum(exact) / len(exact)
    squares = sum((v - mean) ** 2 for v in exact)
    size = max(abs(v) for v in exact) or Fraction(1)
    for found in (Moments.of(values), Moments.of(values[:cut]).merge(Moments.of(values[cut:]))):
        assert found.n == len(values)
        assert abs(Fraction(found.mean) - mean) <= size / 10**12 + Fraction(5e-324)
        root = Fraction(sqrt(squares / size**2)) * size
        assert abs(Fraction(found.norm) - root) <= size / 10**7 + 40 * Fraction(5e-324)


def test_one_outlier_leaves_the_moments_of_a_column_its_digits() -> None:
    values = np.append(np.random.default_rng(2).normal(size=1000), 1e150)
    found = Moments.of(values).merge(Moments.of(np.zeros(999)))
    assert found.mean == pytest.approx(5e146, rel=1e-14)
    assert found.deviation == pytest.approx(1e150 / 2000**0.5, rel=1e-3)


def test_losses_whose_squares_cannot_be_summed_are_named() -> None:
    far, one = np.full(3, -1e150), np.ones(3, dtype=np.int64)
    assert of(far, one).losses.hinge_loss == 1e150
    with pytest.raises(NotFinite, match=r"squared losses or sample weights .* source\.weight"):
        of(far, one, weight=np.full(3, 1e10))
    with pytest.raises(NotFinite, match="sample weights"):
        of(far / 1e150, one, weight=np.full(3, 1e160))


def test_one_huge_weight_is_worth_one_row() -> None:
    summary = of(np.zeros(9), np.ones(9, dtype=np.int64), weight=np.append(np.ones(8), 1e100))
    assert summary.losses.effective_rows == pytest.approx(1)
    nothing = of(np.zeros(9), np.ones(9, dtype=np.int64), weight=np.full(9, 5e-324))
    assert nothing.losses.effective_rows == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.1e150])
def test_a_decision_that_is_not_finite_or_beyond_all_measure_is_an_error(bad: float) -> None:
    with pytest.raises(
        NotFinite, match=r"values of 1 row\(s\) are not finite, or beyond 1e\+150; check"
    ):
        of(np.array([0.0, bad]), np.array([0, 1]))


def test_summaries_on_different_grids_do_not_merge() -> None:
    rows = np.array([0.5]), np.array([1])
    with pytest.raises(ValueError, match="different grids"):
        merge(of(*rows), of(*rows, grid=Grid.even(-6.0, 6.0, bins=32)))


@pytest.mark.parametrize("offset", [0.0, 50.0, 1e3, 1e9, 1e160, 1e300])
def test_moments_keep_their_digits_however_far_from_0_the_values_lie(offset: float) -> None:
    deviations = np.random.default_rng(1).normal(size=5000) * max(1.0, offset * 1e-9)
    values = offset + deviations
    found = Moments.of(values)
    exact = np.mean(values, dtype=np.longdouble)
    assert found.mean == pytest.approx(float(exact), rel=1e-14)
    assert found.norm == pytest.approx(float(np.sqrt(((values - exact) ** 2).sum())), rel=1e-10)
    assert Moments.of(np.full(5000, offset + 1 / 3)).constant


def test_moments_of_one_value_have_no_deviation() -> None:
    one = Moments.of(np.array([3.0]))
    assert (one.deviation, one.constant) == (0.0, True)
    assert not one.merge(Moments.of(np.array([4.0]))).constant

"""Distances on the bins of a reference against scipy's of the rows, whatever the rows are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from tasks.arrays import Floats
from tasks.drift.distances import ks, wasserstein
from tasks.drift.grid import Bins, Grid
from tasks.drift.summary import Distribution

NEAR = 0.005
ODD = [0.0, -0.0, 5e-324, 1.0, 1 + 2**-52, -1.0, 7000.0, 1e-9, -1e6, 1e9]


def drawn(rng: np.random.Generator, kind: str, n: int) -> Floats:
    """Return n values of a kind that histograms find hard."""
    if kind == "normal":
        return rng.normal(size=n)
    if kind == "one outlier":
        return np.append(rng.normal(size=n - 1), 7000.0)
    if kind == "heavy tails":
        return rng.standard_cauchy(n)
    if kind == "few values":
        return rng.integers(0, 9, n) / 7
    if kind == "mostly one value":
        return np.where(rng.random(n) < 0.9, 0.25, rng.normal(size=n))
    if kind == "two tight groups":
        return rng.choice([-1.0, 1.0], n) + 1e-9 * rng.normal(size=n)
    if kind == "all scales":
        return rng.normal(size=n) * 10.0 ** rng.integers(-20, 20, n)
    assert kind == "skewed"
    return rng.exponential(size=n) ** 3


kinds = st.sampled_from(
    [
        "normal",
        "one outlier",
        "heavy tails",
        "few values",
        "mostly one value",
        "two tight groups",
        "all scales",
        "skewed",
    ]
)
sizes = st.sampled_from([1, 2, 5, 40, 208, 209, 300, 3000, 20_000])
units = st.sampled_from([1e-300, 1e-30, 1.0, 1000.0, 1e130])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Return a reference, and a window of its kind, of another, or made of its own rows."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kind, n, m = draw(kinds), draw(sizes), draw(st.sampled_from([1, 3, 200, 2000]))
    reference = drawn(rng, kind, n)
    how = draw(st.sampled_from(["same", "other", "rows", "beside", "beyond", "crossing"]))
    if how == "same":
        window = drawn(rng, kind, m)
    elif how == "other":
        window = drawn(rng, draw(kinds), m)
    elif how == "rows":
        window = rng.choice(reference, m)
    elif how == "beside":
        window = np.nextafter(rng.choice(reference, m), rng.choice([-np.inf, np.inf], m))
    elif how == "beyond":
        far = draw(st.sampled_from([-1e4, -3.0, 3.0, 1e4]))
        window = rng.choice(reference, m) + far * (np.ptp(reference) + 1)
    else:
        window = np.quantile(reference, rng.random(m)) + reference.std() * rng.normal(size=m) / 100
    offset, unit = draw(st.sampled_from([0.0, 0.0, 1000.0])), draw(units)
    return (reference + offset) * unit, (window + offset) * unit


def distances(reference: Floats, window: Floats) -> tuple[float, float]:
    """Return by how much both distances differ from scipy's; Wasserstein in deviations."""
    bins = Bins.around(reference)
    ours, theirs = Distribution.of(bins, window), Distribution.of(bins, reference)
    with np.errstate(divide="ignore"):  # in its p-value of a single row
        exact = stats.ks_2samp(window, reference, method="asymp").statistic
    deviation = theirs.moments.deviation
    if theirs.moments.constant or deviation < 1e-302:
        return abs(ks(ours, theirs) - exact), 0.0
    # scipy's own sums overflow and underflow: it is asked in deviations.
    middle = theirs.moments.mean
    with np.errstate(over="ignore"):
        here, there = ((rows - middle) / deviation for rows in (window, reference))
    assume(np.abs(here).max() < 1e12)
    moved = stats.wasserstein_distance(here, there)
    found = wasserstein(ours, theirs, bins) / deviation
    return abs(ks(ours, theirs) - exact), max(abs(found - moved) - 1e-9 * moved, 0.0)


@settings(max_examples=150, deadline=None)
@given(pairs())
def test_distances_are_within_0005_of_scipys_for_any_reference_and_any_window(
    pair: tuple[Floats, Floats],
) -> None:
    by_ks, by_wasserstein = distances(*pair)
    assert by_ks < NEAR
    assert by_wasserstein < NEAR


numbers = st.one_of(st.sampled_from(ODD), st.floats(-1e150, 1e150), st.floats(-3, 3))
few = hnp.arrays(np.float64, st.integers(1, 60), elements=numbers)


@settings(max_examples=150, deadline=None)
@given(few, few)
def test_distances_hold_for_a_few_numbers_of_any_size(reference: Floats, window: Floats) -> None:
    by_ks, by_wasserstein = distances(reference, window)
    assert by_ks < NEAR
    assert by_wasserstein < NEAR


@settings(max_examples=60, deadline=None)
@given(kinds, st.integers(300, 20_000), st.integers(0, 10**6))
def test_a_bin_holds_few_rows_of_the_reference_or_one_value(kind: str, n: int, seed: int) -> None:
    reference = drawn(np.random.default_rng(seed), kind, n)
    bins = Bins.around(reference)
    counts, _ = bins.count(reference)
    assert list(bins.edges) == sorted(set(bins.edges))
    assert len(bins) < 1500
    assert counts[0] == counts[-1] == 0
    place = np.searchsorted(np.array(bins.edges), reference, side="right")
    for full in np.flatnonzero(counts > NEAR * n):
        assert len(set(reference[place == full].tolist())) == 1


@settings(max_examples=60, deadline=None)
@given(few, hnp.arrays(np.float64, st.integers(0, 60), elements=numbers))
def test_a_value_is_counted_in_the_bin_whose_edges_hold_it(
    reference: Floats, values: Floats
) -> None:
    bins = Bins.around(reference)
    values = np.concatenate([values, bins.edges, np.nextafter(bins.edges, -np.inf)])
    place = np.searchsorted(np.array(bins.edges), values, side="right")
    expected = np.bincount(place, minlength=len(bins))
    np.testing.assert_array_equal(bins.count(values)[0], expected)


@settings(max_examples=60, deadline=None)
@given(kinds, st.integers(0, 10**6), st.lists(st.integers(0, 500), max_size=4))
def test_counts_and_sums_do_not_depend_on_how_rows_are_cut_or_ordered(
    kind: str, seed: int, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    bins, values = Bins.around(drawn(rng, kind, 500)), drawn(rng, kind, 500)
    parts = [bins.count(part) for part in np.split(rng.permutation(values), sorted(cuts))]
    counts, sums = bins.count(values)
    np.testing.assert_array_equal(np.sum([c for c, _ in parts], axis=0), counts)
    exact = np.abs(sums) < 2**53
    np.testing.assert_array_equal(np.sum([s for _, s in parts], axis=0)[exact], sums[exact])


def test_one_typo_in_the_reference_leaves_ks_its_eyes() -> None:
    rng = np.random.default_rng(1)
    reference = np.append(rng.normal(size=999), 7000.0)
    moved = rng.normal(1, size=500)
    grid = Grid.around(reference, reference)
    theirs, ours = (Distribution.of(grid.scores, v) for v in (reference, moved))
    assert ks(ours, theirs) == pytest.approx(stats.ks_2samp(moved, reference).statistic, abs=NEAR)
    assert ks(ours, theirs) > 0.3
    # Wasserstein is in standard deviations, of which the typo makes 221.
    assert wasserstein(ours, theirs, grid.scores) / theirs.moments.deviation < 0.1


def test_a_reference_without_labels_has_bins_for_them_nevertheless() -> None:
    grid = Grid.around(np.array([0.5]), np.empty(0))
    assert grid.margins.edges == (-1.0, 0.0, 1.0)
    counts, _ = grid.margins.count(np.array([-1.0, -1.1, 0.5, 1.0, 1e150]))
    assert counts.tolist() == [1, 1, 1, 2]


def test_bins_are_the_same_for_the_same_rows_in_any_order() -> None:
    values = np.random.default_rng(3).standard_t(2, 5000)
    # Sums of floats depend on their order: the rows are sorted first.
    assert Bins.around(values) == Bins.around(values[::-1])

"""Distances of histograms against those of the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.arrays import Floats
from tasks.drift.distances import PSI_BINS, bin_at, ks, psi, wasserstein
from tasks.drift.grid import Grid
from tasks.drift.moments import Moments
from tasks.drift.summary import Distribution

GRID = Grid.even(-12.0, 12.0)
WIDTH = 24 / 2048


def histogram(values: Floats, grid: Grid = GRID) -> Distribution:
    return Distribution.of(grid.scores, values)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(5, 3000), st.floats(-2, 2), st.sampled_from([0.5, 1.0, 2.0])
)
def test_the_distances_are_those_of_scipy_to_one_bin(
    seed: int, n: int, shift: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=n), rng.normal(shift, scale, size=500)
    ours, theirs = histogram(left), histogram(right)
    exact = stats.ks_2samp(left, right, method="asymp").statistic
    bin_mass = max((d.counts / d.moments.n).max() for d in (ours, theirs))
    assert exact - bin_mass <= ks(ours, theirs) <= exact + 1e-12
    moved = stats.wasserstein_distance(left, right)
    assert wasserstein(ours, theirs, GRID.scores) == pytest.approx(moved, abs=WIDTH)


def test_a_distance_is_symmetric_and_zero_to_itself() -> None:
    rng = np.random.default_rng(1)
    one, two = histogram(rng.normal(size=700)), histogram(rng.normal(0.5, size=300))
    assert ks(one, two) == ks(two, one) > 0
    assert wasserstein(one, two, GRID.scores) == wasserstein(two, one, GRID.scores) > 0
    assert ks(one, one) == wasserstein(one, one, GRID.scores) == psi(one, one) == 0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=3, max_size=40),
    st.lists(st.integers(0, 9), min_size=3, max_size=40),
)
def test_distances_are_bounded_and_symmetric_whatever_the_counts(
    left: list[int], right: list[int]
) -> None:
    grid = Grid.even(0.0, 10.0, bins=10)
    one, two = (histogram(np.array(v) + 0.5, grid) for v in (left, right))
    assert ks(one, two) == pytest.approx(ks(two, one), abs=1e-12)
    assert 0 <= ks(one, two) <= 1 + 1e-12
    assert wasserstein(one, two, grid.scores) == pytest.approx(
        wasserstein(two, one, grid.scores), abs=1e-12
    )
    # All between -10 and 10, and no distance is below that of the means.
    gap = abs(one.moments.mean - two.moments.mean)
    assert gap - 1e-9 <= wasserstein(one, two, grid.scores) <= 10
    assert 0 <= psi(one, two) < np.inf


def of_rows(window: Floats, reference: Floats, edges: Floats) -> float:
    """Return the PSI of rows between these edges, half a row added to each of the bins."""
    every = np.concatenate([[-np.inf], np.unique(edges), [np.inf]])
    p, q = (np.histogram(rows, every)[0] + 0.5 for rows in (window, reference))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, 3000), st.floats(-3, 3), st.sampled_from([0.2, 1.0, 2.0])
)
def test_the_psi_is_that_of_the_rows_between_the_bins_of_the_deciles(
    seed: int, n: int, shift: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    window, reference = rng.normal(shift, scale, size=n), rng.normal(size=n + 100)
    deciles = [bin_at(histogram(reference), share) for share in np.arange(1, PSI_BINS) / PSI_BINS]
    upper = -12 + WIDTH * np.array(deciles)
    exact = of_rows(window, reference, upper)
    assert psi(histogram(window), histogram(reference)) == pytest.approx(exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.3, 1.0), (-1.0, 1.0), (0.0, 1.5)])
def test_the_psi_is_within_5_percent_of_that_of_the_exact_deciles(
    shift: float, scale: float
) -> None:
    rng = np.random.default_rng(4)
    window, reference = rng.normal(shift, scale, size=3000), rng.normal(size=20_000)
    # An edge lies within a bin of its decile, which moves some 0.5 % of the rows.
    exact = of_rows(window, reference, np.quantile(reference, np.arange(1, PSI_BINS) / PSI_BINS))
    assert psi(histogram(window), histogram(reference)) == pytest.approx(exact, rel=0.05, abs=2e-3)


def test_the_psi_of_no_change_is_small_and_of_one_deviation_above_a_quarter() -> None:
    rng = np.random.default_rng(2)
    reference = histogram(rng.normal(size=20_000))
    assert psi(histogram(rng.normal(size=20_000)), reference) < 0.01
    assert psi(histogram(rng.normal(1, size=20_000)), reference) > 0.25


def test_empty_bins_leave_the_psi_finite() -> None:
    rng = np.random.default_rng(3)
    reference = histogram(rng.normal(size=1000))
    far = histogram(np.full(1000, 11.0))
    # All rows in the last bin of ten, or outside the grid.
    assert 0 < psi(far, reference) < 2 * np.log(2001)
    assert np.isfinite(psi(histogram(np.full(1000, 99.0)), reference))
    assert np.isfinite(psi(reference, far))


def test_a_reference_whose_rows_share_one_bin_has_fewer_bins_to_compare() -> None:
    reference = histogram(np.zeros(100))
    assert psi(reference, reference) == 0
    assert psi(histogram(np.ones(100)), reference) > 1
    assert psi(histogram(np.full(100, 99.0)), histogram(np.full(100, 99.0))) == 0


def test_at_least_the_share_lies_up_to_its_bin_and_less_before_it() -> None:
    counts = np.zeros(2050, dtype=np.int64)
    counts[[3, 7, 2049]] = 1, 2, 1
    distribution = Distribution(counts, np.zeros(2050), Moments(4, 0.0, 1.0))
    assert [bin_at(distribution, s) for s in (0.1, 0.25, 0.26, 0.75, 0.76, 1.0)] == [
        3,
        3,
        7,
        7,
        2049,
        2049,
    ]

"""Blocks of rows: as wide as the data's memory asks for, and right as often as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import binom

from tasks.arrays import Floats
from tasks.gates.bootstrap import RESAMPLES, Blocks, block_length


def ar(phi: float, rows: int, seed: int) -> Floats:
    """Return a series in which each value remembers the share phi of the one before."""
    noise = np.random.default_rng(seed).normal(size=rows + 200)
    return np.asarray(lfilter([1], [1, -phi], noise)[200:])


@given(st.floats(-5, 5), st.integers(1, 300), st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_values_that_are_all_the_same_leave_no_doubt(value: float, rows: int, seed: int) -> None:
    same = np.full(rows, value)
    low, high = Blocks.for_series(same, seed).interval(same, 0.95)
    assert (low, high) == pytest.approx((value, value), abs=1e-9)


@given(st.integers(0, 200), st.sampled_from([0.5, 0.8, 0.9]))
@settings(deadline=None, max_examples=20)
def test_blocks_are_wider_than_single_rows_where_rows_remember(seed: int, phi: float) -> None:
    values = ar(phi, 800, seed)
    widths = []
    for blocks in (Blocks(800, 1, seed), Blocks.for_series(values, seed)):
        low, high = blocks.interval(values, 0.95)
        assert low < values.mean() < high
        widths.append(high - low)
    assert widths[1] > 1.2 * widths[0]


@pytest.mark.parametrize(("phi", "rows"), [(0.0, 300), (0.5, 600), (0.8, 1500)])
def test_the_interval_holds_the_truth_about_as_often_as_promised(phi: float, rows: int) -> None:
    rounds, confidence = 150, 0.9
    covered = 0
    for turn in range(rounds):
        values = ar(phi, rows, turn)
        low, high = Blocks.for_series(values, turn).interval(values, confidence)
        covered += low <= 0 <= high
    # Blocks are known to fall short by a few points while rows remember long.
    least, most = (binom.interval(0.999, rounds, p)[i] for i, p in ((0, 0.87), (1, 0.92)))
    assert least <= covered <= most


def test_skewed_differences_are_covered_too() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for turn in range(150):
        gap = rng.exponential(1.0, 200) - rng.exponential(0.9, 200)  # their true mean is 0.1
        low, high = Blocks.for_series(gap, turn).interval(gap, 0.9)
        covered += low <= 0.1 <= high
    least, most = binom.interval(0.999, 150, 0.9)
    assert least <= covered <= most


def test_a_block_is_as_long_as_the_memory() -> None:
    series = [[ar(phi, 2000, seed) for seed in range(20)] for phi in (0, 0.5, 0.9)]
    lengths = [np.mean([block_length(values) for values in alike]) for alike in series]
    assert lengths[0] < 3 < lengths[1] < lengths[2]
    # Patton, Politis & White (2009): for an AR(1) the best is (6·φ²/(1-φ²)²·n)^⅓ = 17.5 here.
    assert lengths[1] == pytest.approx((6 * 0.25 / 0.75**2 * 2000) ** (1 / 3), rel=0.25)


@pytest.mark.parametrize("rows", [1, 2, 7, 9, 40])
def test_few_rows_have_a_block_length_too(rows: int) -> None:
    assert 1 <= block_length(ar(0.9, rows, 1)) <= max(1, rows // 3 + 1)
    assert Blocks.for_series(ar(0.9, rows, 1), 1).sums(np.ones(rows)).shape == (RESAMPLES,)


def test_many_rows_take_no_more_than_a_thousand_blocks() -> None:
    assert Blocks.for_series(ar(0, 100_000, 1), 1).starts.shape == (RESAMPLES, 1000)


def test_a_sum_over_blocks_is_that_of_the_rows_in_them() -> None:
    values = np.arange(10.0)
    blocks = Blocks(10, 4, 3)
    rows = (blocks.starts[..., None] + np.arange(4)) % 10
    np.testing.assert_allclose(blocks.sums(values), values[rows].sum(axis=(1, 2)))
    even = (np.arange(10) % 2 == 0).astype(float)
    chosen = (values * even)[rows].sum(axis=(1, 2)) / even[rows].sum(axis=(1, 2))
    np.testing.assert_allclose(blocks.means(values, even), chosen)


def test_a_resample_without_a_row_of_the_slice_is_left_out() -> None:
    values, among = np.arange(50.0), np.zeros(50)
    among[10] = 1
    blocks = Blocks(50, 10, 5)
    assert np.isnan(blocks.means(values, among)).any()
    assert blocks.interval(values, 0.95, among) == pytest.approx((10, 10))


def test_the_draws_are_the_same_for_the_same_seed_only() -> None:
    values = ar(0.5, 100, 0)
    found = [Blocks(100, 5, seed).interval(values, 0.95) for seed in (7, 7, 8)]
    assert found[0] == found[1] != found[2]


def test_confidence_beyond_what_the_draws_show_still_widens_the_interval() -> None:
    values = ar(0, 500, 0)
    blocks = Blocks.for_series(values, 0)
    lows, highs = zip(*(blocks.interval(values, 1 - 10.0**-k) for k in range(1, 7)), strict=True)
    assert list(lows) == sorted(lows, reverse=True)
    assert list(highs) == sorted(highs)

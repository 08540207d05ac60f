"""References: how much their own blocks differ, and how far samples of them lie apart."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from tasks.arrays import Floats, Ints
from tasks.drift.distances import wasserstein
from tasks.drift.grid import Grid
from tasks.drift.reference import (
    NullDistance,
    Reference,
    design_effect,
    null_distance,
    reference_from_blocks,
    reference_from_json,
    reference_to_json,
)
from tasks.drift.summary import Distribution, Summary, summarise
from tasks.drift.verdict import judge_margins
from tasks.formats import OtherFormat
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN

GRID = Grid.even(-12.0, 12.0)
SPEC = ModelSpec.model_validate(CHURN)
OF_CLASSES = {f"class_{of} {name}" for of in ("loss", "recall", "margin") for name in ("no", "yes")}
QUANTITIES = {"scores", "margins", "mean", "inside", "hinge", "violations", *OF_CLASSES}


def ar(rng: np.random.Generator, rows: int, rho: float) -> Floats:
    """Return a stationary AR(1) stream of unit variance: x_t = rho x_(t-1) + noise."""
    noise = rng.normal(size=rows + 200) * np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1], [1, -rho], noise)[200:])


def of(decision: Floats, label: Ints | None = None) -> Summary:
    known = (decision > 0).astype(np.int64) if label is None else label
    return summarise(GRID, decision, known, ("no", "yes"), {})


def blocks(decision: Floats, count: int) -> list[Summary]:
    return [of(part) for part in np.split(decision, count)]


def means(values: Floats, count: int) -> list[tuple[int, float]]:
    return [(len(part), float(part.mean())) for part in np.split(values, count)]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_design_effect_of_a_mean_is_that_of_its_autocorrelation(rho: float) -> None:
    values = ar(np.random.default_rng(1), 400 * 1000, rho)
    # The variance of a long block's mean is (1 + rho) / (1 - rho) times that of independent rows.
    expected = (1 + rho) / (1 - rho)
    assert design_effect([means(values, 400)], values.var()) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_every_quantity_has_a_design_effect_of_its_own(rho: float) -> None:
    rng = np.random.default_rng(2)
    decision, noise = ar(rng, 300 * 400, rho), rng.normal(size=300 * 400)
    label = (decision + noise > 0).astype(np.int64)
    parts = zip(np.split(decision, 300), np.split(label, 300), strict=True)
    effects = reference_from_blocks([[of(d, y) for d, y in parts]], 1).spread.design_effects
    assert set(effects) == QUANTITIES
    if rho:
        # Labels are drawn row by row, so that losses are less autocorrelated than scores.
        assert effects["mean"] == pytest.approx(19, rel=0.2)
        assert 5 < effects["scores"] < 19
        assert all(1 <= effects[q] < effects["scores"] for q in ("margins", "hinge", "violations"))
    else:
        assert all(1 <= effect < 1.25 for effect in effects.values())


def test_rows_that_come_and_go_between_windows_count_as_little_as_they_tell() -> None:
    rng = np.random.default_rng(3)
    days = rng.normal(scale=0.5, size=200).repeat(100)
    values = rng.normal(size=20_000) + days
    # The variance of a day's mean is 0.25 + 1 / 100; that of independent rows 1.25 / 100.
    effect = design_effect([means(values, 200)], values.var())
    assert effect == pytest.approx(0.26 / 0.0125, rel=0.2)


def test_the_design_effect_of_known_blocks() -> None:
    # Around their groups' means of 2 and 1 the squares are 20 and 10 + 5, on 1 + 1 degrees.
    groups = [[(10, 1.0), (10, 3.0)], [(10, 0.0), (20, 1.5)]]
    assert design_effect(groups, 4.0) == pytest.approx((20 + 15) / 2 / 4)
    assert design_effect(groups, 1e9) == 1
    assert design_effect(groups, 0.0) == 1


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=30), st.floats(-1e3, 1e3))
def test_an_offset_between_groups_changes_nothing(values: list[float], offset: float) -> None:
    group = [(10 + i, v) for i, v in enumerate(values)]
    half = len(group) // 2
    near = [group[:half], group[half:]]
    apart = [group[:half], [(n, v + offset) for n, v in group[half:]]]
    assert design_effect(apart, 1e-3) == pytest.approx(design_effect(near, 1e-3), rel=1e-6)


def test_a_fit_that_looks_better_than_what_follows_widens_no_limit() -> None:
    rng = np.random.default_rng(4)
    fitted, held = rng.normal(0.6, size=20_000), rng.normal(size=10_000)
    apart = reference_from_blocks([blocks(fitted, 20), blocks(held, 10)], 1)
    mixed = reference_from_blocks([[*blocks(fitted, 20), *blocks(held, 10)]], 1)
    assert apart.spread.degrees == 28
    assert mixed.spread.degrees == 29
    assert apart.spread.design_effects["mean"] < 2 < 20 < mixed.spread.design_effects["mean"]


def test_the_summary_is_that_of_the_last_groups_only() -> None:
    rng = np.random.default_rng(5)
    first, second, third = (blocks(rng.normal(size=600), 3) for _ in range(3))
    assert reference_from_blocks([first, second, third], 1).summary.rows == 600
    two = reference_from_blocks([first, second, third], 2).summary
    assert two.rows == 1200
    counts = [b.scores.counts for b in (*second, *third)]
    np.testing.assert_array_equal(two.scores.counts, np.sum(counts, axis=0))


def test_the_block_size_is_the_mean_one() -> None:
    spread = reference_from_blocks(
        [[of(np.zeros(n)) for n in (50, 100)], [of(np.zeros(60))]], 1
    ).spread
    assert (spread.rows, spread.degrees) == (70, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([None, (-1.7, 0.25)]))
def test_a_reference_survives_json(
    seed: int, count: int, sigmoid: tuple[float, float] | None
) -> None:
    decision = np.random.default_rng(seed).normal(size=count * 60)
    reference = reference_from_blocks([blocks(decision, count)], 1, sigmoid)
    text = json.dumps(reference_to_json(reference), allow_nan=False)
    back = reference_from_json(json.loads(text))
    assert json.dumps(reference_to_json(back)) == text
    assert (back.spread, back.wasserstein) == (reference.spread, reference.wasserstein)
    assert back.sigmoid == sigmoid
    window = of(decision[:60] + 0.5)
    assert judge_margins(window, back, SPEC) == judge_margins(window, reference, SPEC)


def histogram(values: Floats) -> Distribution:
    return Distribution.of(GRID.scores, values)


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize(("n", "m"), [(200, 3000), (1000, 1000)])
def test_samples_lie_farther_apart_than_the_null_distance_as_often_as_stated(
    skewed: bool, n: int, m: int
) -> None:
    rng, repeats = np.random.default_rng(n), 1000
    draw = rng.standard_exponential if skewed else rng.standard_normal
    null = null_distance(histogram(draw(20_000)), GRID.scores)
    scale = np.sqrt(1 / n + 1 / m)
    distances = np.array(
        [
            wasserstein(histogram(draw(n)), histogram(draw(m)), GRID.scores) / scale
            for _ in range(repeats)
        ]
    )
    assert distances.mean() == pytest.approx(null.mean, rel=0.1)
    for tail in (0.5, 0.1, 0.01, 0.001):
        above = int((distances > null.quantile(tail)).sum())
        low, high = stats.binom.ppf([0.001, 0.999], repeats, [tail / 2, tail * 1.5])
        assert low <= above <= high, (tail, above)


def test_however_rare_a_null_distance_has_a_finite_quantile() -> None:
    null = NullDistance(0.5, 0.2)
    quantiles = [null.quantile(tail) for tail in (0.5, 1e-3, 1e-12, 1e-30, 1e-300)]
    assert quantiles == sorted(quantiles)
    assert np.isfinite(quantiles[-1])


def test_rows_that_are_all_equal_have_no_null_distance() -> None:
    null = null_distance(histogram(np.full(100, 0.3)), GRID.scores)
    assert asdict(null) == {"mean": 0.0, "deviation": 0.0}
    assert null.quantile(0.01) == 0.0


def test_a_reference_of_one_block_still_gives_limits() -> None:
    rng = np.random.default_rng(6)
    one = reference_from_blocks([[of(rng.normal(size=2000))]], 1)
    many = reference_from_blocks([blocks(rng.normal(size=2000), 20)], 1)
    assert one.spread.degrees == 1
    assert set(one.spread.design_effects.values()) == {1.0}
    window = of(rng.normal(size=500))

    def noises(reference: Reference) -> list[float]:
        return [s.noise for s in judge_margins(window, reference, SPEC).statistics]

    assert len(noises(one)) == 13  # six of all rows, three of each class, the constant
    assert all(np.isfinite(noise) for noise in noises(one))
    assert all(a > b for a, b in zip(noises(one), noises(many), strict=True))


def test_a_reference_of_another_format_is_named_with_the_way_out() -> None:
    kept = reference_to_json(reference_from_blocks([[of(np.arange(60.0))]], 1))
    assert kept["format"] == 2
    with pytest.raises(OtherFormat, match=r"stored reference has the format 1, .*; run .* retrain"):
        reference_from_json({k: v for k, v in kept.items() if k != "format"})
    with pytest.raises(OtherFormat, match=r"stored reference has the format 3, .* install that"):
        reference_from_json({**kept, "format": 3})

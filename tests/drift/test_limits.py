"""Critical values keep the budget that they are solved for, under the real latch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.drift.latch import Reading, fold
from tasks.drift.limits import _openings, critical_value, ks_noise, tail
from tasks.spec.policy_options import LatchPolicy
from tasks.spec.windows import Window

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOWS = [Window(START + i * DAY, START + (i + 1) * DAY) for i in range(100)]
REFERENCES = 300


def latch(breaches: int, of: int, steady: int = 3) -> LatchPolicy:
    raw = {"open": {"breaches": breaches, "of": of}, "close": {"steady": steady}}
    return LatchPolicy.model_validate(raw)


budgets = st.floats(1e-4, 0.02)
shares = st.sampled_from([0.0, 0.1, 0.3])
degrees = st.sampled_from([1, 3, 7, 29, 100])
sides = st.sampled_from([1, 2])
policies = st.sampled_from([latch(1, 1), latch(2, 3), latch(3, 5)])


@settings(max_examples=30, deadline=None)
@given(budgets, policies, shares, degrees, sides)
def test_a_smaller_budget_asks_for_a_larger_change(
    openings: float, policy: LatchPolicy, shared: float, degrees: int, sides: int
) -> None:
    strict = critical_value(openings / 2, policy, shared, degrees, sides)
    assert strict > critical_value(openings, policy, shared, degrees, sides)


@settings(max_examples=30, deadline=None)
@given(budgets, policies, shares, degrees, sides)
def test_fewer_blocks_behind_the_standard_error_ask_for_a_larger_change(
    openings: float, policy: LatchPolicy, shared: float, degrees: int, sides: int
) -> None:
    rough = critical_value(openings, policy, shared, degrees, sides)
    assert rough > critical_value(openings, policy, shared, 2 * degrees, sides)


@settings(max_examples=30, deadline=None)
@given(budgets, shares, degrees, sides)
def test_a_latch_that_opens_at_the_first_breach_asks_for_a_larger_change(
    openings: float, shared: float, degrees: int, sides: int
) -> None:
    once = critical_value(openings, latch(1, 1), shared, degrees, sides)
    assert once > critical_value(openings, latch(2, 3), shared, degrees, sides)


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-9, 1.5), policies, st.floats(0, 1), st.integers(1, 300), sides)
def test_it_is_to_the_last_bit_what_a_bisection_finds(
    openings: float, policy: LatchPolicy, shared: float, degrees: int, sides: int
) -> None:
    """So that the limits in ledgers, replays and tables stay as they are."""
    shape = (policy.open.breaches, policy.open.of, policy.close.steady)
    low, high = 0.1, 1e4
    for _ in range(25):
        middle = sqrt(low * high)
        if _openings(middle, shape, round(shared, 2), min(degrees, 200), sides) > openings:
            low = middle
        else:
            high = middle
    assert critical_value(openings, policy, shared, degrees, sides) == high


@settings(max_examples=30, deadline=None)
@given(budgets, policies, shares, degrees)
def test_where_only_a_rise_counts_a_smaller_one_is_enough(
    openings: float, policy: LatchPolicy, shared: float, degrees: int
) -> None:
    rise, either = (critical_value(openings, policy, shared, degrees, n) for n in (1, 2))
    assert rise < either


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("openings", [0.02, 1e-3])
def test_with_all_known_it_is_the_quantile_of_the_normal(openings: float, sides: int) -> None:
    # It opens after 1/p windows on average and takes one to close: 1/openings = 1/p + 1.
    p = openings / (1 - openings)
    plain = -NormalDist().inv_cdf(p / sides)
    found = critical_value(openings, latch(1, 1, steady=1), 0.0, 10_000, sides)
    assert found == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize("degrees", [5, 29])
@pytest.mark.parametrize("openings", [1e-3, 1e-4, 1e-5])
def test_with_few_blocks_it_is_the_quantile_of_students_t(openings: float, degrees: int) -> None:
    found = critical_value(openings, latch(1, 1, steady=1), 0.0, degrees, 2)
    assert found == pytest.approx(stats.t.isf(openings / 2, degrees), rel=0.03)


def measured(
    critical: float, policy: LatchPolicy, shared: float, degrees: int, sides: int, seed: int
) -> int:
    """Return how often the latch opened in 100 windows of each of REFERENCES references."""
    rng = np.random.default_rng(seed)
    opened = 0
    for _ in range(REFERENCES):
        own = rng.normal(size=len(WINDOWS)) * sqrt(1 - shared)
        change = own + rng.normal() * sqrt(shared)
        size = np.abs(change) if sides == 2 else np.maximum(change, 0)
        error = sqrt(rng.chisquare(degrees) / degrees)
        pressures = (size / (critical * error)).tolist()
        readings = [
            Reading(window, 1, "drifting" if pressure > 1 else "steady", pressure)
            for window, pressure in zip(WINDOWS, pressures, strict=True)
        ]
        steps = fold("m", readings, [], policy).steps
        opened += len({after.episode for _, after in steps} - {None})
    return opened


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize(("shared", "degrees"), [(0.0, 200), (0.1, 29), (0.25, 7)])
@pytest.mark.parametrize("policy", [latch(1, 1), latch(2, 3)], ids=["1 of 1", "2 of 3"])
def test_the_latch_opens_as_often_as_allowed_and_not_much_less(
    policy: LatchPolicy, shared: float, degrees: int, sides: int
) -> None:
    openings = 0.01
    critical = critical_value(openings, policy, shared, degrees, sides)
    opened = measured(critical, policy, shared, degrees, sides, seed=degrees)
    allowed = openings * REFERENCES * len(WINDOWS)
    assert allowed / 3 <= opened <= stats.poisson.ppf(0.999, allowed)


def test_the_tail_is_that_of_the_normal_to_both_sides() -> None:
    assert tail(NormalDist().inv_cdf(0.975)) == pytest.approx(0.05)
    assert tail(0) == 1
    assert 0 < tail(40) < 1e-100


@given(st.floats(1e-6, 1), st.floats(1e-12, 0.5))
def test_more_independent_rows_or_a_larger_tail_lower_the_noise_of_ks(
    independent: float, tail: float
) -> None:
    noise = ks_noise(independent, tail)
    assert ks_noise(independent / 2, tail) < noise
    assert ks_noise(independent, tail * 2) < noise


@pytest.mark.parametrize(("n", "m"), [(50, 400), (300, 300)])
@pytest.mark.parametrize("tail", [0.1, 0.01])
def test_two_samples_exceed_the_noise_of_ks_no_more_often_than_its_tail(
    n: int, m: int, tail: float
) -> None:
    rng, repeats = np.random.default_rng(n), 1000
    noise = ks_noise(1 / n + 1 / m, tail)
    above = sum(
        stats.ks_2samp(rng.random(n), rng.random(m), method="asymp").statistic > noise
        for _ in range(repeats)
    )
    assert above <= stats.binom.ppf(0.999, repeats, tail)

"""Statistics between two summaries, their limits, and the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tasks.drift import Judgement, judge, ks, ks_noise, wasserstein, wasserstein_noise
from tasks.margins import Floats, Ints
from tasks.spec import Drift
from tasks.summary import Distribution, Grid, Moments, Summary, summarise

GRID = Grid(-12.0, 12.0)
SHAPE = ["ks", "wasserstein", "margin_density"]
TINY = {name: {"effect": 1e-6} for name in (*SHAPE, "hinge_loss", "violation_rate")}


def of(decision: Floats, label: Ints | None = None, grid: Grid = GRID) -> Summary:
    unknown = np.full(len(decision), -1)
    return summarise(grid, decision, unknown if label is None else label, ("no", "yes"), {})


def histogram(values: Floats) -> Distribution:
    return Distribution(GRID.count(values), Moments.of(values))


def verdict(window: Summary, reference: Summary, min_rows: int = 100, **policy: Any) -> Judgement:
    drift = Drift.model_validate(policy)
    return judge(window, reference, drift, min_rows=min_rows, windows_per_year=52)


def values(judgement: Judgement) -> dict[str, float]:
    return {statistic.name: statistic.value for statistic in judgement.statistics}


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
    assert wasserstein(ours, theirs, GRID) == pytest.approx(moved, abs=24 / GRID.bins)


def test_a_distance_is_symmetric_and_zero_to_itself() -> None:
    rng = np.random.default_rng(1)
    one, two = histogram(rng.normal(size=700)), histogram(rng.normal(0.5, size=300))
    assert ks(one, two) == ks(two, one) > 0
    assert wasserstein(one, two, GRID) == wasserstein(two, one, GRID) > 0
    assert ks(one, one) == wasserstein(one, one, GRID) == 0


def test_the_same_sample_is_steady_without_pressure() -> None:
    rng = np.random.default_rng(2)
    same = of(rng.normal(size=1000), rng.integers(0, 2, 1000))
    judgement = verdict(same, same)
    assert (judgement.verdict, judgement.reason) == ("steady", "within its limits")
    assert judgement.pressure == pytest.approx(0, abs=1e-12)
    assert set(values(judgement)) == {*SHAPE, "ks_labelled", "hinge_loss", "violation_rate"}


def test_a_shift_that_matters_drifts_and_says_in_what() -> None:
    rng = np.random.default_rng(3)
    judgement = verdict(of(rng.normal(1, size=1000)), of(rng.normal(size=5000)))
    assert judgement.verdict == "drifting"
    assert judgement.reason == "above the limit: ks, wasserstein, margin_density"
    assert (judgement.pressure or 0) > 1
    assert values(judgement)["wasserstein"] == pytest.approx(1, abs=0.1)
    assert values(judgement)["margin_density"] == pytest.approx(-0.205, abs=0.04)


def test_a_shift_too_small_to_matter_is_steady_however_many_rows_prove_it() -> None:
    rows = 2_000_000
    edges = np.concatenate([[-np.inf], np.linspace(GRID.low, GRID.high, GRID.bins + 1), [np.inf]])

    def exactly(mean: float) -> Summary:
        shares = np.diff(stats.norm.cdf(edges, loc=mean))
        counts = np.round(shares * rows).astype(np.int64)
        moments = Moments(int(counts.sum()), mean, float(rows))
        inside = round(rows * float(np.diff(stats.norm.cdf([-1, 1], loc=mean))[0]))
        return replace(of(np.zeros(1)), scores=Distribution(counts, moments), inside=inside)

    judgement = verdict(exactly(0.02), exactly(0.0))
    distance = judgement.statistics[0]
    assert stats.kstwobign.sf(distance.value * np.sqrt(rows / 2)) < 1e-20
    assert distance.value > distance.noise
    assert judgement.verdict == "steady"
    assert (judgement.pressure or 9) < 0.1


def test_too_few_rows_are_insufficient_not_steady() -> None:
    far = np.full(99, 9.0)
    judgement = verdict(of(far), of(np.zeros(1000)))
    assert judgement.verdict == "insufficient"
    assert judgement.reason == "99 rows, fewer than window.min_rows = 100"
    assert (judgement.pressure, judgement.statistics) == (None, ())


def drifted(right: float) -> tuple[Summary, Summary]:
    """Return a window of larger scores and its reference; a share `right` of labels agrees."""
    rng = np.random.default_rng(4)
    reference, window = rng.normal(size=4000), rng.normal(1.5, 2, size=2000)
    wrong = rng.random(2000) >= right
    labels = (window > 0).astype(np.int64) ^ wrong
    return of(window, labels), of(reference, (reference > 0).astype(np.int64))


@pytest.mark.parametrize(
    ("confirm", "labelled", "right", "expected"),
    [
        ("never", False, 1.0, "drifting"),
        ("never", True, 1.0, "drifting"),
        ("never", True, 0.5, "drifting"),
        ("if_labelled", False, 1.0, "drifting"),
        ("if_labelled", True, 1.0, "steady"),
        ("if_labelled", True, 0.5, "drifting"),
        ("required", False, 1.0, "insufficient"),
        ("required", True, 1.0, "steady"),
        ("required", True, 0.5, "drifting"),
    ],
)
def test_whether_a_breach_counts_is_the_owners_choice(
    confirm: str, labelled: bool, right: float, expected: str
) -> None:
    window, reference = drifted(right)
    if not labelled:
        window = replace(window, losses=of(np.zeros(1)).losses)
    judgement = verdict(window, reference, confirm=confirm)
    assert (judgement.verdict, judgement.labelled) == (expected, labelled)
    if expected == "insufficient":
        assert "`required` and labels are missing" in judgement.reason


def test_a_breach_that_the_labels_do_not_confirm_says_so() -> None:
    reason = verdict(*drifted(1.0)).reason
    assert reason.startswith("above the limit: ks, wasserstein")
    assert reason.endswith("; the labelled loss does not confirm it")


def test_a_risen_loss_alone_says_that_the_margins_hold_still() -> None:
    rng = np.random.default_rng(5)
    decision = rng.normal(size=3000)
    window = of(decision, (decision > 0).astype(np.int64))
    worse = replace(window.losses, hinge=window.losses.hinge * 2, violations=window.losses.rows)
    judgement = verdict(replace(window, losses=worse), window)
    assert judgement.verdict == "steady"
    assert judgement.reason == (
        "above the limit: hinge_loss, violation_rate; the margins hold still"
    )


def test_a_fallen_loss_is_no_breach() -> None:
    window, reference = drifted(1.0)
    loss = next(s for s in verdict(window, reference).statistics if s.name == "hinge_loss")
    assert loss.value < loss.pressure == 0


@pytest.mark.parametrize("n", [50, 500, 2000, 50_000])
@pytest.mark.parametrize("alpha", [0.1, 1e-3, 1e-6])
def test_more_rows_or_a_larger_budget_lower_the_noise(n: int, alpha: float) -> None:
    rows = np.random.default_rng(6).normal(size=2000)
    grid = Grid(-12.0, 12.0, bins=128)
    reference = Distribution(grid.count(rows), Moments.of(rows))
    for less, more in (((2 * n, alpha), (n, alpha)), ((n, 2 * alpha), (n, alpha))):
        assert ks_noise(less[0], 2000, less[1]) < ks_noise(more[0], 2000, more[1])
        assert wasserstein_noise(reference, grid, *less) < wasserstein_noise(reference, grid, *more)


def test_false_alarms_stay_within_the_budget() -> None:
    """Nothing has changed, and only the noise limits act: 1000 streams, each with its reference."""
    budget, streams = 0.003, 1000
    policy = Drift.model_validate({"false_alarms_per_year": budget, "confirm": "never", **TINY})
    rng = np.random.default_rng(7)
    alarms = dict.fromkeys(["any", *SHAPE], 0)
    for _ in range(streams):
        rows = rng.normal(size=2000)
        grid = replace(Grid.around(rows), bins=64)
        reference, window = of(rows, grid=grid), of(rng.normal(size=500), grid=grid)
        judgement = judge(window, reference, policy, min_rows=100, windows_per_year=1)
        alarms["any"] += judgement.verdict == "drifting"
        for statistic in judgement.statistics:
            alarms[statistic.name] += statistic.pressure > 1
    promised = {"any": budget} | dict.fromkeys(SHAPE, budget / 3)
    most = {name: stats.binom.ppf(0.999, streams, rate) for name, rate in promised.items()}
    assert {name: n for name, n in alarms.items() if n > most[name]} == {}

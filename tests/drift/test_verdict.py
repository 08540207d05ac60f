"""Statistics between a window and its reference, their limits, and the verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tasks.arrays import Floats
from tasks.drift.grid import Grid
from tasks.drift.moments import Moments
from tasks.drift.reference import reference_from_blocks
from tasks.drift.summary import Distribution, Summary
from tests.support.judged import (
    ALL,
    BLOCKS,
    GRID,
    by_name,
    drifted,
    of,
    reference_from,
    signs,
    verdict,
)


def test_the_same_sample_is_steady_without_pressure() -> None:
    rng = np.random.default_rng(2)
    decision = rng.normal(size=2000)
    judgement = verdict(of(decision, signs(decision)), reference_from(decision))
    assert (judgement.verdict, judgement.reason) == ("steady", "within its limits")
    assert judgement.pressure == pytest.approx(0, abs=1e-12)
    assert list(by_name(judgement)) == ALL
    assert judgement.rests_on == tuple(ALL)


def test_a_shift_that_matters_drifts_and_says_in_what() -> None:
    rng = np.random.default_rng(3)
    judgement = verdict(of(rng.normal(1, size=1000)), reference_from(rng.normal(size=10_000)))
    assert judgement.verdict == "drifting"
    assert judgement.reason == "above the limit: ks, wasserstein, margin_density"
    assert (judgement.pressure or 0) > 1
    found = by_name(judgement)
    assert found["wasserstein"].value == pytest.approx(1, abs=0.1)
    assert found["margin_density"].value == pytest.approx(-0.205, abs=0.04)


def test_a_shift_too_small_to_matter_is_steady_however_many_rows_prove_it() -> None:
    rows = 2_000_000
    edges = np.concatenate([[-np.inf], GRID.scores.edges, [np.inf]])

    def exactly(mean: float) -> Summary:
        shares = np.diff(stats.norm.cdf(edges, loc=mean))
        counts = np.round(shares * rows).astype(np.int64)
        moments = Moments(int(counts.sum()), mean, rows**0.5)
        inside = round(rows * float(np.diff(stats.norm.cdf([-1, 1], loc=mean))[0]))
        labelled = of(np.zeros(1), np.zeros(1, dtype=np.int64))
        return replace(
            labelled,
            scores=Distribution(counts, GRID.scores.lefts * counts, moments),
            inside=inside,
        )

    blocks = [exactly(0.0) for _ in range(BLOCKS)]
    judgement = verdict(exactly(0.02), reference_from_blocks([blocks], 1))
    distance = judgement.statistics[0]
    assert stats.kstwobign.sf(distance.value * np.sqrt(rows / 2)) < 1e-20
    assert distance.value > distance.noise
    assert judgement.verdict == "steady"
    assert (judgement.pressure or 9) < 0.1


def test_too_few_rows_are_insufficient_not_steady() -> None:
    rng = np.random.default_rng(0)
    judgement = verdict(of(np.full(99, 9.0)), reference_from(rng.normal(size=1000)))
    assert judgement.verdict == "insufficient"
    assert judgement.reason == "99 rows, fewer than window.min_rows = 100"
    assert (judgement.pressure, judgement.statistics) == (None, ())


@pytest.mark.parametrize("window", [np.zeros(500), np.linspace(-1, 1, 500)])
def test_a_reference_whose_margins_are_all_equal_judges_nothing(window: Floats) -> None:
    judgement = verdict(of(window), reference_from(np.full(1000, 0.7)))
    assert judgement.verdict == "insufficient"
    assert judgement.reason.startswith("all margins of the reference are equal; retrain")
    assert judgement.pressure is None


def test_a_window_on_another_grid_is_an_error() -> None:
    reference = reference_from(np.linspace(-1, 1, 400))
    window = replace(of(np.zeros(200)), grid=Grid.even(-1.0, 1.0))
    with pytest.raises(ValueError, match="different grids"):
        verdict(window, reference)


def test_a_breach_says_what_a_steady_verdict_rests_on() -> None:
    window, reference = drifted(1.0)
    judgement = verdict(window, reference, hinge_loss={"effect": 0.2}, margin_density={"effect": 1})
    assert judgement.verdict == "steady"
    assert "; the labelled loss does not confirm it; the verdict rests on ks, " in judgement.reason
    assert judgement.reason.endswith("; blind: margin_density (sees nothing)")

"""The energy distance against the rows' own, and how often two healthy samples exceed its noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.drift.catalogue import KINDS
from tasks.drift.energy import energy
from tasks.drift.grid import Grid
from tasks.drift.reference import reference_from_blocks
from tasks.drift.statistic import Chance, Shares, Statistic, StatisticKind
from tasks.drift.summary import Distribution, summarise
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN

(KIND,) = (kind for kind in KINDS if kind.name == "energy")
OTHERS: tuple[StatisticKind, ...] = tuple(
    kind for kind in KINDS if kind.name in ("ks", "wasserstein")
)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.3, 1.0), (0.0, 3.0), (2.0, 0.5)])
def test_the_distance_is_that_of_scipy(shift: float, scale: float) -> None:
    rng = np.random.default_rng(1)
    left, right = rng.normal(shift, scale, size=900), rng.normal(size=4000)
    bins = Grid.around(right, right).scores
    ours, theirs = Distribution.of(bins, left), Distribution.of(bins, right)
    exact = stats.energy_distance(left, right)
    # A third of the wide sample lies beyond the reference, in two bins.
    assert exact - 1e-3 <= energy(ours, theirs, bins) <= 1.05 * exact + 1e-3
    assert energy(ours, theirs, bins) == energy(theirs, ours, bins)
    assert energy(theirs, theirs, bins) == 0


def statistic(kind: StatisticKind, seed: int, by: float = 0.0, scale: float = 1.0) -> Statistic:
    """Return the statistic of a window of 500 rows against a healthy reference of 4000."""
    spec = ModelSpec.model_validate({**CHURN, "drift": {"energy": {"effect": 1e-9}}})
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=4000) * scale
    grid = Grid.around(scores, scores)

    def of(values: np.ndarray) -> object:
        return summarise(grid, values, np.full(len(values), -1), ("no", "yes"), {})

    reference = reference_from_blocks([[of(part) for part in np.split(scores, 8)]], 1)  # type: ignore[misc]
    window = of((rng.normal(size=500) + by) * scale)
    chance = Chance(reference, spec, Shares(0.2, 0.5, 0.0))
    assert kind.measure is not None
    return kind.measure(kind, window, reference.summary, spec.drift, chance)  # type: ignore[arg-type]


def test_the_scale_of_the_scores_changes_nothing() -> None:
    one, other = statistic(KIND, 3, by=0.4), statistic(KIND, 3, by=0.4, scale=1000.0)
    assert other.value == pytest.approx(one.value, rel=0.02)
    assert other.noise == pytest.approx(one.noise, rel=0.02)


def test_chance_stays_below_its_noise_and_a_shift_does_not() -> None:
    quiet = [statistic(KIND, seed).pressure for seed in range(40)]
    assert sum(p > 1 for p in quiet) <= 4  # two of three windows open the latch, not one
    assert np.median(quiet) > 0.2  # nor is the noise far from what chance shows
    assert all(statistic(KIND, seed, by=0.6).pressure > 1 for seed in range(10))


@pytest.mark.parametrize("other", OTHERS, ids=[kind.name for kind in OTHERS])
def test_what_it_sees_is_about_what_the_other_distances_see(other: StatisticKind) -> None:
    ours = np.median([statistic(KIND, seed, by=0.4).value for seed in range(9)])
    noise = np.median([statistic(KIND, seed).noise for seed in range(9)])
    theirs = np.median([statistic(other, seed, by=0.4).value for seed in range(9)])
    limit = np.median([statistic(other, seed).noise for seed in range(9)])
    assert 0.5 <= (ours / noise) / (theirs / limit) <= 2

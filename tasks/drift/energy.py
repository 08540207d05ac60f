"""The energy distance of the scores: large where many rows moved, or a few moved far. Pure.

D² = 2·∫(F - G)² dx in one dimension (Székely & Rizzo, 2013). It is D that is held to a limit, which
grows as the shift does while that is small. Of scores in standard deviations σ of the reference D
is in √σ.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from tasks.arrays import Floats
from tasks.drift.distances import gaps
from tasks.drift.grid import Bins
from tasks.drift.limits import tail
from tasks.drift.reference import NullDistance, Reference, null_of
from tasks.drift.statistic import FARTHEST, Chance, Statistic, StatisticKind
from tasks.drift.summary import Distribution, Summary
from tasks.spec.policy_options import Drift


def energy(left: Distribution, right: Distribution, bins: Bins) -> float:
    """Return the energy distance, in roots of margin units.

    Each bin's rows stand at their mean. Within the reference's range that changes little; beyond
    it, where one bin holds all rows of a side, it makes the distance larger, never smaller.
    """
    return float(_of_gaps(*gaps(left, right, bins)))


def _of_gaps(below: Floats, widths: Floats) -> Floats:
    return np.asarray(np.sqrt(2 * (below**2 @ widths)))


def of_energy(
    kind: StatisticKind, window: Summary, accepted: Summary, policy: Drift, chance: Chance
) -> Statistic:
    """Return the energy distance of the scores.

    Its noise is what two samples of the reference's histogram differ by (parametric bootstrap),
    for as many independent rows as the shares below its deciles say: D² is a mean of such shares'
    squared differences.
    """
    ours, theirs = window.scores, accepted.scores
    n, m = window.rows, accepted.rows
    unit = sqrt(theirs.moments.deviation)
    chances = _null(_Same(chance.reference)).quantile(tail(chance.critical(n, m)))
    value = min(energy(ours, theirs, accepted.grid.scores) / unit, FARTHEST)
    return kind.measured(value, chances * chance.standard(kind.quantity, n, m) / unit, policy)


class _Same:
    """A reference that is equal to another one if its scores are."""

    def __init__(self, reference: Reference) -> None:
        self.scores, self.bins = reference.summary.scores, reference.summary.grid.scores
        self._key = (self.scores.counts.tobytes(), self.scores.sums.tobytes(), self.bins)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._key == other._key


@lru_cache(maxsize=32)
def _null(same: _Same) -> NullDistance:
    return null_of(same.scores, same.bins, _of_gaps)

"""Distances from histograms of margins on the same bins; no row is needed. Pure."""

from __future__ import annotations

import numpy as np

from tasks.arrays import Floats
from tasks.drift.grid import Bins
from tasks.drift.summary import Distribution

PSI_BINS = 10


def ks(left: Distribution, right: Distribution) -> float:
    """Return the Kolmogorov-Smirnov distance, 0 … 1.

    Exact to the least mass that either side has in a bin: below 0.005 on the bins of a reference.
    """
    return float(np.abs(_below(left) - _below(right)).max())


def wasserstein(left: Distribution, right: Distribution, bins: Bins) -> float:
    """Return the 1-Wasserstein distance, in margin units.

    Each bin's rows stand at their mean. That is exact but where the distributions cross within a
    bin: to 0.005 standard deviations of a reference, on its own bins.
    """
    below, widths = gaps(left, right, bins)
    return float(np.abs(below) @ widths)


def gaps(left: Distribution, right: Distribution, bins: Bins) -> tuple[Floats, Floats]:
    """Return F - G between neighbouring points of two distributions, and the width of each gap.

    Each bin's rows stand at their mean; beyond the points there is no difference.
    """
    sides = [(bins.points(d.counts, d.sums), _below(d)[d.counts > 0]) for d in (left, right)]
    places = np.sort(np.concatenate([points for points, _ in sides]))
    ours, theirs = (
        np.append(0.0, shares)[np.searchsorted(points, places[:-1], side="right")]
        for points, shares in sides
    )
    return np.asarray(ours - theirs), np.diff(places)


def psi(window: Distribution, reference: Distribution) -> float:
    """Return the population stability index over the reference's deciles.

    Σ (p - q) log(p / q) (Siddiqi, 2006). Half a row is added to each side's bins, so that an
    empty one gives no infinity.
    """
    edges = [bin_at(reference, share) for share in np.arange(1, PSI_BINS) / PSI_BINS]
    splits = np.unique(np.array(edges) + 1)
    p, q = (
        np.add.reduceat(d.counts, np.concatenate([[0], splits[splits < len(d.counts)]])) + 0.5
        for d in (window, reference)
    )
    p, q = p / p.sum(), q / q.sum()
    return float((p - q) @ np.log(p / q))


def bin_at(distribution: Distribution, share: float) -> int:
    """Return the first bin up to which at least this share of the rows lies."""
    return int(np.searchsorted(np.cumsum(distribution.counts), share * distribution.moments.n))


def _below(distribution: Distribution) -> Floats:
    """Return the share of the rows up to the end of each bin."""
    return np.asarray(np.cumsum(distribution.counts) / distribution.moments.n)

"""Distances and quantiles from histograms of margins on one grid; no row is needed. Pure."""

from __future__ import annotations

import numpy as np

from tasks.margins import Floats
from tasks.summary import Distribution, Grid

PSI_BINS = 10


def ks(left: Distribution, right: Distribution) -> float:
    """Return the Kolmogorov-Smirnov distance, 0 … 1; exact to one bin's mass."""
    gap = np.cumsum(_shares(left)) - np.cumsum(_shares(right))
    return float(np.abs(gap).max())


def wasserstein(left: Distribution, right: Distribution, grid: Grid) -> float:
    """Return the 1-Wasserstein distance, in margin units; exact to one bin's width."""
    gap = np.cumsum(_shares(left) - _shares(right))[:-1]
    return float(np.abs(gap) @ np.diff(grid.centres))


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


def quantile(distribution: Distribution, grid: Grid, share: float) -> float:
    """Return the margin below which this share of the rows lies; exact to one bin's width."""
    return float(grid.centres[bin_at(distribution, share)])


def bin_at(distribution: Distribution, share: float) -> int:
    """Return the first bin up to which at least this share of the rows lies."""
    return int(np.searchsorted(np.cumsum(distribution.counts), share * distribution.moments.n))


def _shares(distribution: Distribution) -> Floats:
    return np.asarray(distribution.counts / distribution.moments.n)

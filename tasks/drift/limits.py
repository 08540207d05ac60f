"""How much a window may differ from its reference by chance, within the owner's budget. Pure.

The noise part of a limit is what windows of a healthy model exceed so rarely that the latch opens
no more often than `drift.false_alarms_per_year`. All that goes into it comes from the reference:
how many independent rows the rows are worth (their design effect), that every window meets the same
reference and so shares its error, and on how few blocks this knowledge rests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np

from tasks.arrays import Floats
from tasks.spec.policy_options import LatchPolicy

_NORMAL = NormalDist()
_LOWEST, _LIKELY, _HIGHEST = 0.1, 3.0, 1e4  # standard errors
_REFERENCES, _SCALES = 48, 96  # nodes of the integral in _openings


def critical_value(
    openings: float, latch: LatchPolicy, shared: float, degrees: int, sides: int = 2
) -> float:
    """Return the limit, in standard errors, that opens the latch at most so often in control.

    Parameters
    ----------
    openings
        Openings of the latch that are allowed, per window.
    shared
        Share of the variance that all windows have in common: the reference's own error, 0 … 1.
    degrees
        Degrees of freedom of the estimated standard error.
    sides
        1 if only a rise counts, 2 if a fall counts as well.
    """
    policy = (latch.open.breaches, latch.open.of, latch.close.steady)
    return _solved(openings, policy, round(shared, 2), min(degrees, 200), sides)


@lru_cache(maxsize=4096)
def _solved(
    openings: float, policy: tuple[int, int, int], shared: float, degrees: int, sides: int
) -> float:
    @cache
    def excess(exponent: float) -> float:
        found = _openings(exp(exponent), policy, shared, degrees, sides)
        return log(max(found, 1e-300) / openings)

    root = exp(_root(excess))
    # To six digits, on the steps of a bisection, as ledgers and replays have them.
    low, high = _LOWEST, _HIGHEST
    for _ in range(25):
        middle = sqrt(low * high)
        low, high = (middle, high) if middle < root else (low, middle)
    return high


def _root(excess: Callable[[float], float]) -> float:
    """Return where a function that falls is 0, between the logarithms of the extremes; else an end.

    Each evaluation is an integral, and this takes a third of those of a bisection.
    """
    from scipy.optimize import brentq

    bottom, top = log(_LOWEST), log(_HIGHEST)
    low = high = log(_LIKELY)
    step = 0.5
    while excess(high) > 0 and high < top:
        low, high, step = high, min(high + step, top), 2 * step
    while excess(low) <= 0 and low > bottom:
        low, high, step = max(low - step, bottom), low, 2 * step
    if excess(low) <= 0 or excess(high) > 0:
        return low if excess(low) <= 0 else high
    return float(brentq(excess, low, high, xtol=1e-14))


def _openings(
    critical: float, policy: tuple[int, int, int], shared: float, degrees: int, sides: int
) -> float:
    """Return the expected openings per window of windows that are independent given the reference.

    The reference's error is normal. The standard error's own error is that of a variance with
    these degrees of freedom (chi-squared). Both are the same for all windows. So the rate is
    averaged over them, not the breach probability.
    """
    errors, weights, scales, shares = _nodes(degrees)
    limit = critical * scales[:, None]
    offset = errors[None, :] * sqrt(shared)
    own = sqrt(max(1 - shared, 1e-6))
    breach = _upper((limit - offset) / own)
    if sides == 2:
        breach = breach + _upper((limit + offset) / own)
    breach = np.minimum(breach, 1.0)
    needed, among, steady = policy
    opens = breach * _at_least(needed - 1, among - 1, breach)
    # Windows until it opens, on average, and those that it takes to close, at the least.
    windows = np.maximum(needed, 1 / np.maximum(opens, 1e-300)) + steady
    return float(shares @ (1 / windows) @ weights)


@lru_cache(maxsize=256)
def _nodes(degrees: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return nodes and weights of the reference's error and of the estimated standard error."""
    from scipy.stats import chi2

    errors, weights = np.polynomial.hermite_e.hermegauss(_REFERENCES)
    # Half of the nodes are for the tenth of smallest estimates, where rare false alarms come from.
    edges = np.r_[0, np.geomspace(1e-8, 0.1, _SCALES // 2), np.linspace(0.1, 1, _SCALES // 2)[1:]]
    scales = np.sqrt(chi2.ppf((edges[1:] + edges[:-1]) / 2, degrees) / degrees)
    return errors, weights / weights.sum(), scales, np.diff(edges)


def _upper(z: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(-z))


def _at_least(k: int, n: int, p: Floats) -> Floats:
    """Return the probability of at least k of n independent breaches."""
    from scipy.special import bdtrc

    return np.asarray(bdtrc(k - 1, n, p)) if k else np.ones_like(p)


def tail(critical: float) -> float:
    """Return the two-sided tail probability of a normal critical value."""
    return max(2 * _NORMAL.cdf(-critical), 1e-300)


def ks_noise(independent: float, tail: float) -> float:
    """Return the Kolmogorov-Smirnov distance that two samples exceed with this probability.

    The Dvoretzky-Kiefer-Wolfowitz-Massart form of the two-sample limit.

    Parameters
    ----------
    independent
        1/n + 1/m of the samples' independent rows.
    """
    return sqrt(-log(tail / 2) / 2 * independent)

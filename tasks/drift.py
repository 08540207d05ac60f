"""Statistics between two summaries, their limits, and the verdict on a window. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from tasks.margins import Floats
from tasks.spec import Drift
from tasks.summary import Distribution, Grid, Summary

Verdict = Literal["steady", "drifting", "insufficient"]
_RESAMPLES = 200


@dataclass(frozen=True)
class Statistic:
    """One measured change against its limit, in the statistic's own unit.

    `limit` is the larger of `effect`, the least change that matters to the owner, and `noise`,
    what a window of this size shows by chance at the false-alarm budget.
    """

    name: str
    value: float
    effect: float
    noise: float
    one_sided: bool = False

    @property
    def limit(self) -> float:
        return max(self.effect, self.noise)

    @property
    def pressure(self) -> float:
        """Return the change as a share of its limit; above 1 it is a breach."""
        size = max(self.value, 0.0) if self.one_sided else abs(self.value)
        return size / self.limit


@dataclass(frozen=True)
class Judgement:
    """What a window's summary says against the reference.

    `pressure` is the one number that the latch reads: above 1 the window breaches.
    """

    verdict: Verdict
    reason: str
    labelled: bool
    pressure: float | None
    statistics: tuple[Statistic, ...]


def ks(left: Distribution, right: Distribution) -> float:
    """Return the Kolmogorov-Smirnov distance of two histograms, exact to one bin's mass."""
    gap = np.cumsum(_shares(left)) - np.cumsum(_shares(right))
    return float(np.abs(gap).max())


def wasserstein(left: Distribution, right: Distribution, grid: Grid) -> float:
    """Return the 1-Wasserstein distance of two histograms, in margin units, exact to one bin."""
    gap = np.cumsum(_shares(left) - _shares(right))[:-1]
    return float(np.abs(gap) @ np.diff(grid.centres))


def _shares(distribution: Distribution) -> Floats:
    return np.asarray(distribution.counts / distribution.moments.n)


def judge(
    window: Summary,
    reference: Summary,
    policy: Drift,
    *,
    min_rows: int,
    windows_per_year: float,
) -> Judgement:
    """Return the verdict on a window.

    The scores of all rows are always compared; losses and labelled margins as well, where both
    sides have at least `min_rows` labels.
    """
    if window.grid != reference.grid:
        raise ValueError("window and reference are summarised on different grids")
    if window.rows < min_rows:
        return insufficient(f"{window.rows} rows, fewer than window.min_rows = {min_rows}")
    labelled = min(window.labelled, reference.labelled) >= min_rows
    alpha = _alpha(policy.false_alarms_per_year, windows_per_year, tests=6 if labelled else 3)
    shape = _shape_statistics(window, reference, policy, alpha)
    losses: tuple[Statistic, ...] = ()
    if labelled:
        shape = (*shape, _ks("ks_labelled", window.margins, reference.margins, policy, alpha))
        losses = _loss_statistics(window, reference, policy, alpha)
    statistics = (*shape, *losses)
    margins = max(s.pressure for s in shape)
    if policy.confirm == "never":
        pressure = max(s.pressure for s in statistics)
    elif labelled:
        pressure = min(margins, next(s.pressure for s in losses if s.name == "hinge_loss"))
    elif policy.confirm == "required" and margins > 1:
        reason = "the margins breach, but drift.confirm is `required` and labels are missing"
        return Judgement("insufficient", reason, False, None, statistics)
    else:
        pressure = margins
    breaching = [s.name for s in statistics if s.pressure > 1]
    verdict: Verdict = "drifting" if pressure > 1 else "steady"
    return Judgement(verdict, _reason(verdict, breaching), labelled, pressure, statistics)


def _reason(verdict: Verdict, breaching: list[str]) -> str:
    if not breaching:
        return "within its limits"
    above = f"above the limit: {', '.join(breaching)}"
    if verdict == "drifting":
        return above
    if "hinge_loss" in breaching:
        return f"{above}; the margins hold still"
    return f"{above}; the labelled loss does not confirm it"


def insufficient(reason: str) -> Judgement:
    """Return the verdict on a window about which nothing can be said."""
    return Judgement("insufficient", reason, False, None, ())


def _alpha(false_alarms_per_year: float, windows_per_year: float, tests: int) -> float:
    # Bonferroni: the budget is shared by the year's windows and by the statistics of each.
    return min(max(false_alarms_per_year / (windows_per_year * tests), 1e-9), 0.5)


def _shape_statistics(
    window: Summary, reference: Summary, policy: Drift, alpha: float
) -> tuple[Statistic, ...]:
    ours, theirs, grid = window.scores, reference.scores, reference.grid
    spread = max(sqrt(theirs.moments.variance), 1e-12)
    here, there = window.inside / window.rows, reference.inside / reference.rows
    return (
        _ks("ks", ours, theirs, policy, alpha),
        Statistic(
            "wasserstein",
            wasserstein(ours, theirs, grid) / spread,
            policy.wasserstein.effect,
            wasserstein_noise(theirs, grid, window.rows, alpha) / spread,
        ),
        Statistic(
            "margin_density",
            here - there,
            policy.margin_density.effect,
            _share_noise(there, window.rows, reference.rows, alpha),
        ),
    )


def _ks(
    name: str, ours: Distribution, theirs: Distribution, policy: Drift, alpha: float
) -> Statistic:
    noise = ks_noise(ours.moments.n, theirs.moments.n, alpha)
    return Statistic(name, ks(ours, theirs), policy.ks.effect, noise)


def _loss_statistics(
    window: Summary, reference: Summary, policy: Drift, alpha: float
) -> tuple[Statistic, ...]:
    ours, theirs = window.losses, reference.losses
    z = NormalDist().inv_cdf(1 - alpha)
    noise = z * sqrt(ours.hinge_variance / ours.rows + theirs.hinge_variance / theirs.rows)
    return (
        Statistic(
            "hinge_loss",
            ours.hinge_loss - theirs.hinge_loss,
            policy.hinge_loss.effect,
            noise,
            one_sided=True,
        ),
        Statistic(
            "violation_rate",
            ours.violation_rate - theirs.violation_rate,
            policy.violation_rate.effect,
            _share_noise(theirs.violation_rate, ours.rows, theirs.rows, alpha),
        ),
    )


def ks_noise(n: int, m: int, alpha: float) -> float:
    """Return the distance that two samples of n and m rows exceed by chance with P = alpha.

    The Dvoretzky-Kiefer-Wolfowitz-Massart form of the two-sample Kolmogorov-Smirnov limit.
    """
    return sqrt(-log(alpha / 2) / 2 * (1 / n + 1 / m))


def wasserstein_noise(reference: Distribution, grid: Grid, n: int, alpha: float) -> float:
    """Return the distance, in margin units, that n rows of the reference exceed with P = alpha.

    Two samples as large as the reference's m rows are drawn 200 times from its histogram
    (parametric bootstrap, fixed seed). Their distances, scaled to n and m rows, give the mean and
    the standard deviation of a log-normal distribution, as distances lean to the right; the limit
    is its quantile.
    """
    rng = np.random.default_rng(0)
    filled = np.flatnonzero(reference.counts)
    m = reference.moments.n
    shares = reference.counts[filled] / m
    gaps = (rng.multinomial(m, shares, _RESAMPLES) - rng.multinomial(m, shares, _RESAMPLES)) / m
    widths = np.diff(grid.centres[filled])
    distances = np.abs(np.cumsum(gaps, axis=1)[:, :-1]) @ widths
    mean = float(distances.mean())
    if not mean:
        return 0.0
    spread = log(1 + (float(distances.std()) / mean) ** 2)
    quantile = mean * exp(NormalDist().inv_cdf(1 - alpha) * sqrt(spread) - spread / 2)
    # Distances of samples shrink with sqrt(1/n + 1/m); here it was sqrt(2/m).
    return quantile * sqrt((m / n + 1) / 2)


def _share_noise(share: float, n: int, m: int, alpha: float) -> float:
    # A share of exactly 0 or 1 would have no noise; one row of the reference bounds it.
    safe = min(max(share, 1 / (m + 1)), m / (m + 1))
    z = NormalDist().inv_cdf(1 - alpha / 2)
    return z * sqrt(safe * (1 - safe) * (1 / n + 1 / m))

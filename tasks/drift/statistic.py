"""What is measured of a window against its reference: each change beside its limit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, Literal

from tasks.drift.distances import ks, wasserstein
from tasks.drift.limits import critical_value, ks_noise, tail
from tasks.drift.reference import Reference
from tasks.drift.summary import Distribution, Losses, Summary
from tasks.spec.model import Drift, ModelSpec
from tasks.spec.windows import windows_per_year

Counts = Literal["both", "rise", "fall"]
FARTHEST = 1e300  # deviations: farther is no number that JSON holds


@dataclass(frozen=True)
class Statistic:
    """One measured change against its limit, in the statistic's own unit.

    `limit` is the larger of `effect`, the least change that matters to the owner, and `noise`,
    what a window of this size shows by chance at the false-alarm budget. A statistic is `blind` if
    chance shows `drift.blind_at` times its effect, or if no change reaches its limit: then it is
    `unreachable`. `reference` is the mean that changed, of a loss; `of` the class whose it is.
    """

    name: str
    value: float
    effect: float
    noise: float
    counts: Counts = "both"
    of: str | None = None
    reference: float | None = None
    blind: bool = False
    unreachable: bool = False

    @classmethod
    def measured(
        cls,
        name: str,
        value: float,
        effect: float,
        noise: float,
        policy: Drift,
        *,
        most: float = inf,
        counts: Counts = "both",
        of: str | None = None,
        reference: float | None = None,
    ) -> Statistic:
        """Return the statistic; `most` is the largest change that counts and can be."""
        unreachable = max(effect, noise) >= most
        blind = unreachable or noise >= policy.blind_at * effect
        return cls(name, value, effect, noise, counts, of, reference, blind, unreachable)

    @property
    def title(self) -> str:
        return self.name if self.of is None else f"{self.name} of {self.of}"

    @property
    def limit(self) -> float:
        return max(self.effect, self.noise)

    @property
    def size(self) -> float:
        """Return the change that counts: of some only a rise, or only a fall."""
        if self.counts == "both":
            return abs(self.value)
        return max(self.value if self.counts == "rise" else -self.value, 0.0)

    @property
    def pressure(self) -> float:
        """Return the change as a share of its limit; above 1 it is a breach."""
        return self.size / self.limit

    def as_json(self) -> dict[str, Any]:
        """Return the statistic with its limit, JSON-ready."""
        return {**vars(self), "limit": self.limit, "pressure": self.pressure}


@dataclass(frozen=True)
class Shares:
    """How the budget of false alarms is shared (Bonferroni).

    Without labels the three shapes have a third each. With labels, half is for losses and a tenth
    for each of the five others. The losses' half is shared equally by the mean loss, the lost level
    where there is one, and the classes taken together; `of_classes` counts the statistics of these,
    which are the loss, the recall and, where known, the margin of each.
    """

    labelled: bool
    level: bool = False
    of_classes: int = 0

    @property
    def shape(self) -> float:
        return 1 / 10 if self.labelled else 1 / 3

    @property
    def loss(self) -> float:
        return 1 / 2 / (1 + self.level + (self.of_classes > 0))

    @property
    def of_class(self) -> float:
        return self.loss / self.of_classes


class Chance:
    """What a statistic of one window shows by chance, within the owner's budget."""

    def __init__(self, reference: Reference, spec: ModelSpec, shares: Shares) -> None:
        self.reference = reference
        self.latch = spec.latch
        self.shares = shares
        self.openings = spec.drift.false_alarms_per_year / windows_per_year(spec.window)

    def own(self, n: float, part: float = 1.0) -> float:
        """Return as how many of a window's n rows it counts; `part` of a block's are like them."""
        # More rows than a block held are not known to tell more than that block did.
        return min(n, self.reference.spread.rows * part)

    def standard(self, quantity: str, n: float, m: float) -> float:
        """Return the root of 1/n + 1/m, counting independent rows."""
        effect = self.reference.spread.design_effects[quantity]
        return sqrt(effect * (1 / self.own(n) + 1 / m))

    def critical(self, n: float, m: float) -> float:
        """Return the critical value, in standard errors, of a change to either side."""
        return self.critical_at(self.shares.shape, self.own(n), m, sides=2)

    def critical_rise(self, n: float, m: float) -> float:
        """Return that of a loss, of which only a rise counts."""
        return self.critical_at(self.shares.loss, self.own(n), m, sides=1)

    def critical_at(self, share: float, own: float, m: float, sides: int) -> float:
        """Return that of a share of the budget."""
        degrees = self.reference.spread.degrees
        return critical_value(self.openings * share, self.latch, own / (own + m), degrees, sides)


def shapes(
    window: Summary, accepted: Summary, policy: Drift, chance: Chance
) -> tuple[Statistic, ...]:
    """Return the statistics of the scores of all rows."""
    ours, theirs = window.scores, accepted.scores
    deviation = theirs.moments.deviation
    n, m = window.rows, accepted.rows
    critical = chance.critical(n, m)
    unit = chance.reference.wasserstein.quantile(tail(critical))
    here, there = window.inside / n, accepted.inside / m
    return (
        of_distance("ks", "scores", ours, theirs, policy, chance),
        Statistic.measured(
            "wasserstein",
            min(wasserstein(ours, theirs, accepted.grid.scores) / deviation, FARTHEST),
            policy.wasserstein.effect,
            unit * chance.standard("mean", n, m) / deviation,
            policy,
        ),
        Statistic.measured(
            "margin_density",
            here - there,
            policy.margin_density.effect,
            critical * deviation_of(there, m) * chance.standard("inside", n, m),
            policy,
            most=max(there, 1 - there),
        ),
    )


def of_distance(
    name: str,
    quantity: str,
    ours: Distribution,
    theirs: Distribution,
    policy: Drift,
    chance: Chance,
) -> Statistic:
    """Return the Kolmogorov-Smirnov distance of two distributions."""
    n, m = ours.moments.n, theirs.moments.n
    noise = ks_noise(chance.standard(quantity, n, m) ** 2, tail(chance.critical(n, m)))
    return Statistic.measured(name, ks(ours, theirs), policy.ks.effect, noise, policy, most=1.0)


def of_loss(name: str, ours: Losses, theirs: Losses, policy: Drift, chance: Chance) -> Statistic:
    """Return the rise of the mean hinge loss."""
    n, m = ours.effective_rows, theirs.effective_rows
    deviation = sqrt(theirs.hinge_variance)
    return Statistic.measured(
        name,
        ours.hinge_loss - theirs.hinge_loss,
        policy.hinge_loss.effect,
        chance.critical_rise(n, m) * deviation * chance.standard("hinge", n, m),
        policy,
        counts="rise",
        reference=theirs.hinge_loss,
    )


def of_violations(ours: Losses, theirs: Losses, policy: Drift, chance: Chance) -> Statistic:
    """Return the change of the share of rows with y·f < 1."""
    n, m, rate = ours.effective_rows, theirs.effective_rows, theirs.violation_rate
    return Statistic.measured(
        "violation_rate",
        ours.violation_rate - rate,
        policy.violation_rate.effect,
        chance.critical(n, m) * deviation_of(rate, m) * chance.standard("violations", n, m),
        policy,
        most=max(rate, 1 - rate),
    )


def deviation_of(share: float, m: float) -> float:
    """Return the standard deviation of what m rows show with this share."""
    # A share of exactly 0 or 1 would have no noise; one row of the reference bounds it.
    safe = min(max(share, 1 / (m + 1)), m / (m + 1))
    return sqrt(safe * (1 - safe))

"""What is measured of a window against its reference: each change beside its limit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from math import inf, sqrt
from typing import Any, Literal, TypeAlias

from tasks.drift.distances import ks, wasserstein
from tasks.drift.limits import critical_value, ks_noise, tail
from tasks.drift.loss_sums import Losses
from tasks.drift.reference import Reference
from tasks.drift.summary import Distribution, Summary
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift
from tasks.spec.windows import windows_per_year

Counts = Literal["both", "rise", "fall"]
Unit = Literal["share", "loss", "σ", "√σ"]
Measure: TypeAlias = Callable[["StatisticKind", Summary, Summary, Drift, "Chance"], "Statistic"]
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
    _: KW_ONLY
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
        return cls(
            *(name, value, effect, noise),
            counts=counts,
            of=of,
            reference=reference,
            blind=blind,
            unreachable=unreachable,
        )

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

    def to_json(self) -> dict[str, Any]:
        """Return the statistic with its limit, JSON-ready."""
        return {**vars(self), "limit": self.limit, "pressure": self.pressure}


@dataclass(frozen=True)
class StatisticKind:
    """What a statistic is, whatever the window: a row of the table in `catalogue`.

    Parameters
    ----------
    unit
        What its value is in: `share`, `loss`, or `σ` for standard deviations of the reference and
        `√σ` for their roots.
    quantity
        Whose design effect widens its noise (`Spread.design_effects`).
    rows
        Which rows it is of: all, the labelled ones, or the labelled ones of each class.
    option
        The option of `drift` that holds its effect; None there: it is not measured.
    part
        Which part of the budget it has a share of: that of the losses, which the classes' share as
        one, or the rest. Of `constant` none: a healthy model is far from a constant's loss.
    alone
        Whether it is drift alone, even if the scores hold still.
    words
        Its name as people read it, if that is not the one in the ledger.
    measure
        Measures it, where it is of all rows: of a window's summary and the reference's.
    """

    name: str
    unit: Unit
    quantity: str
    rows: Literal["all", "labelled", "class"]
    option: str
    part: Literal["losses", "classes", "rest", "none"] = "rest"
    counts: Counts = "both"
    alone: bool = False
    words: str | None = None
    measure: Measure | None = None

    def on(self, policy: Drift) -> bool:
        """Return whether it is measured."""
        return getattr(policy, self.option) is not None

    def measured(
        self,
        value: float,
        noise: float,
        policy: Drift,
        *,
        most: float = inf,
        of: str | None = None,
        reference: float | None = None,
    ) -> Statistic:
        """Return the statistic of a window; see `Statistic.measured`."""
        effect: float = getattr(policy, self.option).effect
        return Statistic.measured(
            self.name,
            value,
            effect,
            noise,
            policy,
            most=most,
            counts=self.counts,
            of=of,
            reference=reference,
        )


@dataclass(frozen=True)
class Shares:
    """The shares of the budget of false alarms (Bonferroni); `catalogue.shares` computes them.

    Of each statistic that is no loss; of the mean loss, as of the lost level; of each one of a
    class.
    """

    rest: float
    loss: float
    of_class: float


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
        return self.critical_at(self.shares.rest, self.own(n), m, sides=2)

    def critical_rise(self, n: float, m: float) -> float:
        """Return the statistic of a loss; only a rise counts."""
        return self.critical_at(self.shares.loss, self.own(n), m, sides=1)

    def critical_at(self, share: float, own: float, m: float, sides: int) -> float:
        """Return that of a share of the budget."""
        degrees = self.reference.spread.degrees
        return critical_value(self.openings * share, self.latch, own / (own + m), degrees, sides)


def of_scores(
    kind: StatisticKind, window: Summary, accepted: Summary, policy: Drift, chance: Chance
) -> Statistic:
    """Return the Kolmogorov-Smirnov distance of the scores."""
    return of_distance(kind, window.scores, accepted.scores, policy, chance)


def of_moved(
    kind: StatisticKind, window: Summary, accepted: Summary, policy: Drift, chance: Chance
) -> Statistic:
    """Return the Wasserstein distance of the scores."""
    ours, theirs = window.scores, accepted.scores
    deviation = theirs.moments.deviation
    n, m = window.rows, accepted.rows
    unit = chance.reference.wasserstein.quantile(tail(chance.critical(n, m)))
    value = min(wasserstein(ours, theirs, accepted.grid.scores) / deviation, FARTHEST)
    noise = unit * chance.standard(kind.quantity, n, m) / deviation
    return kind.measured(value, noise, policy)


def of_inside(
    kind: StatisticKind, window: Summary, accepted: Summary, policy: Drift, chance: Chance
) -> Statistic:
    """Return the change of the share of rows with a score in -1 … 1."""
    n, m = window.rows, accepted.rows
    here, there = window.inside / n, accepted.inside / m
    noise = chance.critical(n, m) * deviation_of(there, m) * chance.standard(kind.quantity, n, m)
    return kind.measured(here - there, noise, policy, most=max(there, 1 - there))


def of_distance(
    kind: StatisticKind, ours: Distribution, theirs: Distribution, policy: Drift, chance: Chance
) -> Statistic:
    """Return the Kolmogorov-Smirnov distance of two distributions."""
    n, m = ours.moments.n, theirs.moments.n
    noise = ks_noise(chance.standard(kind.quantity, n, m) ** 2, tail(chance.critical(n, m)))
    return kind.measured(ks(ours, theirs), noise, policy, most=1.0)


def of_loss(
    kind: StatisticKind, ours: Losses, theirs: Losses, policy: Drift, chance: Chance
) -> Statistic:
    """Return the rise of the mean hinge loss."""
    n, m = ours.effective_rows, theirs.effective_rows
    deviation = sqrt(theirs.hinge_variance)
    return kind.measured(
        ours.hinge_loss - theirs.hinge_loss,
        chance.critical_rise(n, m) * deviation * chance.standard(kind.quantity, n, m),
        policy,
        reference=theirs.hinge_loss,
    )


def of_violations(
    kind: StatisticKind, ours: Losses, theirs: Losses, policy: Drift, chance: Chance
) -> Statistic:
    """Return the change of the share of rows with y·f < 1."""
    n, m, rate = ours.effective_rows, theirs.effective_rows, theirs.violation_rate
    return kind.measured(
        ours.violation_rate - rate,
        chance.critical(n, m) * deviation_of(rate, m) * chance.standard(kind.quantity, n, m),
        policy,
        most=max(rate, 1 - rate),
    )


def deviation_of(share: float, m: float) -> float:
    """Return the standard deviation of what m rows show with this share."""
    # A share of exactly 0 or 1 would have no noise; one row of the reference bounds it.
    safe = min(max(share, 1 / (m + 1)), m / (m + 1))
    return sqrt(safe * (1 - safe))

"""Statistics between two summaries, their limits, and the verdict on a window. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

from tasks.distances import ks, wasserstein
from tasks.limits import critical_value, ks_noise, tail
from tasks.reference import Reference
from tasks.spec import Drift, ModelSpec
from tasks.summary import Distribution, Summary
from tasks.windows import windows_per_year

Verdict = Literal["steady", "drifting", "insufficient"]
LOSSES = ("hinge_loss", "violation_rate")
_FARTHEST = 1e300  # deviations: farther is no number that JSON holds
_EXPECTED = 10  # rows of a class that a window should hold before its absence says something


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
    def size(self) -> float:
        """Return the change that counts: of a one-sided statistic, a rise."""
        return max(self.value, 0.0) if self.one_sided else abs(self.value)

    @property
    def pressure(self) -> float:
        """Return the change as a share of its limit; above 1 it is a breach."""
        return self.size / self.limit


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


def judge(
    window: Summary, reference: Reference, spec: ModelSpec, level: Reference | None = None
) -> Judgement:
    """Return the verdict on a window.

    The scores of all rows are always compared; losses and labelled margins as well, where both
    sides have at least `window.min_rows` labels, of every class.
    """
    accepted, least = reference.summary, spec.window.min_rows
    if window.grid != accepted.grid:
        raise ValueError("window and reference are summarised on different grids; measure it anew")
    if window.rows < least:
        return insufficient(f"{window.rows} rows, fewer than window.min_rows = {least}")
    if accepted.scores.moments.constant:
        return insufficient("all margins of the reference are equal; retrain on rows that differ")
    gone = vanished(window, accepted)
    enough = min(window.losses.effective_rows, accepted.losses.effective_rows) >= least
    labelled = enough and not gone
    chance = _Chance(reference, spec, labelled)
    statistics = _shape_statistics(window, accepted, spec.drift, chance)
    if labelled:
        statistics = (*statistics, *_labelled_statistics(window, accepted, spec.drift, chance))
    if labelled and level is not None:
        rel2 = level.summary.losses.hinge_loss
        ch = _Chance(level, spec, labelled)
        n, m = window.losses.effective_rows, level.summary.losses.effective_rows
        statistics = (
            *statistics,
            Statistic(
                "lost_level",
                window.losses.hinge_loss - rel2,
                spec.drift.hinge_loss.effect,
                ch.critical_rise(n, m)
                * sqrt(level.summary.losses.hinge_variance)
                * ch.standard("hinge", n, m),
                one_sided=True,
            ),
        )
    said = _verdict(statistics, labelled, spec.drift)
    if enough and gone:
        remark = f"no label is {' or '.join(gone)}, so the losses are not compared"
        return replace(said, reason=f"{said.reason}; {remark}")
    return said


def vanished(window: Summary, accepted: Summary) -> list[str]:
    """Return the classes of which the window's labels should hold ten rows, and hold none."""
    if not accepted.losses.rows:
        return []
    share = window.losses.rows / accepted.losses.rows
    return [
        name
        for name, losses in accepted.classes.items()
        if losses.rows * share >= _EXPECTED and not window.classes[name].rows
    ]


def _verdict(statistics: tuple[Statistic, ...], labelled: bool, policy: Drift) -> Judgement:
    shapes = [s for s in statistics if s.name not in LOSSES]
    breaching = [s.name for s in statistics if s.pressure > 1]
    if labelled and policy.confirm != "never":
        # Evidence may come from any statistic; both kinds of change must be large enough to matter.
        loss = next(s for s in statistics if s.name == "hinge_loss")
        pressure = min(
            max(s.pressure for s in statistics if s.name != "lost_level"), loss.size / loss.effect
        )
        for s in statistics:
            if s.name == "lost_level":
                pressure = max(pressure, s.pressure)
    else:
        pressure = max(s.pressure for s in statistics)
    if policy.confirm == "required" and not labelled and breaching:
        reason = "the margins breach, but drift.confirm is `required` and labels are missing"
        return Judgement("insufficient", reason, False, None, statistics)
    if pressure <= 1 and all(s.noise >= policy.blind_at * s.effect for s in statistics):
        least = min(s.noise / s.effect for s in statistics)
        reason = (
            f"too few independent rows: only a change {least:.1f} times as large as one that "
            "matters would stand out; widen window.every or training.window"
        )
        return Judgement("insufficient", reason, labelled, None, statistics)
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


class _Chance:
    """What a statistic of one window shows by chance, within the owner's budget."""

    def __init__(self, reference: Reference, spec: ModelSpec, labelled: bool) -> None:
        self.reference = reference
        self.latch = spec.latch
        self.openings = spec.drift.false_alarms_per_year / windows_per_year(spec.window)
        # The budget is shared (Bonferroni): half is for the loss, a tenth for each of the others.
        self.share = 1 / 10 if labelled else 1 / 3

    def standard(self, quantity: str, n: float, m: float) -> float:
        """Return the root of 1/n + 1/m, counting independent rows."""
        spread = self.reference.spread
        # More rows than a block held are not known to tell more than that block did.
        own = min(n, spread.rows)
        return sqrt(spread.design_effects[quantity] * (1 / own + 1 / m))

    def critical(self, n: float, m: float) -> float:
        """Return the critical value, in standard errors, of a change to either side."""
        return self._critical(n, m, self.share, sides=2)

    def critical_rise(self, n: float, m: float) -> float:
        """Return that of the loss, of which only a rise counts."""
        return self._critical(n, m, 1 / 2, sides=1)

    def _critical(self, n: float, m: float, share: float, sides: int) -> float:
        own = min(n, self.reference.spread.rows)
        degrees = self.reference.spread.degrees
        return critical_value(self.openings * share, self.latch, own / (own + m), degrees, sides)


def _shape_statistics(
    window: Summary, accepted: Summary, policy: Drift, chance: _Chance
) -> tuple[Statistic, ...]:
    ours, theirs = window.scores, accepted.scores
    deviation = theirs.moments.deviation
    n, m = window.rows, accepted.rows
    critical = chance.critical(n, m)
    unit = chance.reference.wasserstein.quantile(tail(critical))
    here, there = window.inside / n, accepted.inside / m
    return (
        _ks("ks", "scores", ours, theirs, policy, chance),
        Statistic(
            "wasserstein",
            min(wasserstein(ours, theirs, accepted.grid.scores) / deviation, _FARTHEST),
            policy.wasserstein.effect,
            unit * chance.standard("mean", n, m) / deviation,
        ),
        Statistic(
            "margin_density",
            here - there,
            policy.margin_density.effect,
            critical * _deviation(there, m) * chance.standard("inside", n, m),
        ),
    )


def _ks(
    name: str,
    quantity: str,
    ours: Distribution,
    theirs: Distribution,
    policy: Drift,
    chance: _Chance,
) -> Statistic:
    n, m = ours.moments.n, theirs.moments.n
    noise = ks_noise(chance.standard(quantity, n, m) ** 2, tail(chance.critical(n, m)))
    return Statistic(name, ks(ours, theirs), policy.ks.effect, noise)


def _labelled_statistics(
    window: Summary, accepted: Summary, policy: Drift, chance: _Chance
) -> tuple[Statistic, ...]:
    ours, theirs = window.losses, accepted.losses
    n, m = ours.effective_rows, theirs.effective_rows
    critical = chance.critical_rise(n, m)
    rate = theirs.violation_rate
    return (
        _ks("ks_labelled", "margins", window.margins, accepted.margins, policy, chance),
        Statistic(
            "hinge_loss",
            ours.hinge_loss - theirs.hinge_loss,
            policy.hinge_loss.effect,
            critical * sqrt(theirs.hinge_variance) * chance.standard("hinge", n, m),
            one_sided=True,
        ),
        Statistic(
            "violation_rate",
            ours.violation_rate - rate,
            policy.violation_rate.effect,
            chance.critical(n, m) * _deviation(rate, m) * chance.standard("violations", n, m),
        ),
    )


def _deviation(share: float, m: float) -> float:
    # A share of exactly 0 or 1 would have no noise; one row of the reference bounds it.
    safe = min(max(share, 1 / (m + 1)), m / (m + 1))
    return sqrt(safe * (1 - safe))

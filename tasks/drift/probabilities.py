"""Whether a champion's probabilities still hold: statistics, limits and verdict. Pure.

The two statistics are the directions in which a sigmoid can be corrected: its intercept (`bias`)
and its slope (`overconfidence`). Both are means over rows, so their noise follows from the blocks
of the reference, as that of a loss does. Neither is larger than the calibration error. With more
than two classes, each class with enough rows has a bias of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import sqrt
from typing import Any

from tasks import formats
from tasks.drift import reasons, reliability_table
from tasks.drift.class_losses import EXPECTED, compared_classes, skewed
from tasks.drift.class_spread import name_of
from tasks.drift.limits import critical_value
from tasks.drift.reference import Reference
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.statistic import Statistic, deviation_of
from tasks.drift.summary import Summary
from tasks.drift.verdict import Judgement, Verdict, insufficient
from tasks.spec.model import ModelSpec
from tasks.spec.windows import windows_per_year


@dataclass(frozen=True, kw_only=True)
class HeldProbabilities:
    """Whether the probabilities still hold: a verdict of their own, and what people read.

    `brier` and `calibration_error` are those of the window, with `_reference` those at acceptance;
    `table` is what was said and what happened, as it is stored; None without labels.
    """

    verdict: str
    reason: str | None = None
    pressure: float | None
    statistics: tuple[Statistic, ...] = ()
    brier: float | None = None
    calibration_error: float | None = None
    brier_reference: float | None = None
    calibration_error_reference: float | None = None
    table: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the values ready for JSON, without those that are not known."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        kept = {n: value for n, value in known.items() if value is not None or n == "pressure"}
        return {**kept, "statistics": [s.to_json() for s in self.statistics]}

    @property
    def reliability(self) -> ReliabilityTable | None:
        """Return the table of what was said and what happened, read only where it is shown."""
        return None if self.table is None else reliability_table.reliability_from_json(self.table)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> HeldProbabilities:
        """Return what `to_json` wrote."""
        statistics = tuple(formats.fill(Statistic, one) for one in raw.get("statistics", ()))
        return formats.fill(cls, {**raw, "statistics": statistics})


def judge_probabilities(window: Summary, reference: Reference, spec: ModelSpec) -> Judgement:
    """Return the verdict on the probabilities of a window's labelled rows.

    `insufficient` where window or reference has fewer than `window.min_rows` labels with
    probabilities, or one of two classes is missing from the labels.
    """
    ours, theirs = window.reliability, reference.summary.reliability
    least = spec.window.min_rows
    if min(ours.effective_rows, theirs.effective_rows) < least:
        return insufficient(f"fewer than {least} labels to hold the probabilities against")
    if "overconfidence" not in reference.spread.design_effects:
        return insufficient("blocks of the reference have no label to learn the noise from")
    gone = compared_classes(window, reference.summary).absent
    if gone and not theirs.top:  # of two classes the other one alone tells nothing
        return insufficient(f"no label is {' or '.join(gone)}")
    classes = _classes(ours, reference)
    statistics = tuple(_statistics(ours, reference, spec, classes.judged))
    pressure = max(s.pressure for s in statistics)
    if pressure <= 1 and all(s.blind for s in statistics):
        return Judgement("insufficient", "too few independent labels", True, None, statistics)
    verdict: Verdict = "drifting" if pressure > 1 else "steady"
    beyond = [s for s in statistics if s.pressure > 1]
    reason = reasons.above(beyond) if beyond else "the probabilities hold"
    return Judgement(verdict, "; ".join([reason, *classes.remarks]), True, pressure, statistics)


def held_probabilities(window: Summary, reference: Reference, said: Judgement) -> HeldProbabilities:
    """Return what the observation keeps: verdict, statistics, and what people read."""
    ours, theirs = window.reliability, reference.summary.reliability
    mine, known = bool(ours.weight_squared), bool(theirs.weight_squared)
    return HeldProbabilities(
        verdict=said.verdict,
        reason=said.reason,
        pressure=said.pressure,
        statistics=said.statistics,
        brier=ours.brier if mine else None,
        calibration_error=ours.calibration_error if mine else None,
        brier_reference=theirs.brier if known else None,
        calibration_error_reference=theirs.calibration_error if known else None,
        table=reliability_table.reliability_to_json(ours) if mine else None,
    )


@dataclass(frozen=True)
class _Classes:
    """The classes with a bias of their own, those with too few rows, and those not known before."""

    judged: Sequence[str]
    few: Sequence[str]
    unknown: Sequence[str]

    @property
    def remarks(self) -> Iterator[str]:
        if self.few:
            yield f"with fewer than {EXPECTED} labels not judged alone: {reasons.listed(self.few)}"
        if self.unknown:
            yield f"not known of the reference, nor judged alone: {reasons.listed(self.unknown)}"


def _classes(ours: ReliabilityTable, reference: Reference) -> _Classes:
    theirs, effects = reference.summary.reliability, reference.spread.design_effects
    known = [n for n in ours.classes if n in theirs.classes and name_of("bias", n) in effects]
    judged = [n for n in known if min(ours.rows_of(n), theirs.rows_of(n)) >= EXPECTED]
    few = [n for n in known if n not in judged]
    return _Classes(judged, few, [n for n in ours.classes if n not in known])


def _statistics(
    ours: ReliabilityTable, reference: Reference, spec: ModelSpec, classes: Sequence[str]
) -> Iterator[Statistic]:
    policy, spread, theirs = spec.drift.calibration, reference.spread, reference.summary.reliability
    # More rows than a block held are not known to tell more than that block did.
    n, m = min(ours.effective_rows, spread.rows), theirs.effective_rows
    names = ("overconfidence",) if theirs.top else ("overconfidence", "bias")
    # One share is for the classes together, and one is kept back: the sigmoid was itself learnt on
    # few independent rows.
    parts = len(names) + (len(classes) > 0) + 1
    openings = policy.false_alarms_per_year / windows_per_year(spec.window) / parts

    def measured(name: str, change: float, deviation: float, of: str | None = None) -> Statistic:
        share = openings if of is None else openings / len(classes)
        critical = critical_value(share, spec.latch, n / (n + m), spread.degrees)
        effect = spread.design_effects[name if of is None else name_of(name, of)]
        if of is not None:
            frequency = theirs.rows_of(of) / m
            # Few rows are of a small class, so that its frequency is far from normal.
            skewness = abs(1 - 2 * frequency) / deviation_of(frequency, m)
            critical = skewed(critical, skewness, n / effect, m / effect)
        noise = critical * deviation * sqrt(effect * (1 / n + 1 / m))
        return Statistic.measured(name, change, policy.effect, noise, spec.drift, of=of)

    for name in names:
        there = getattr(theirs, name)
        deviation = sqrt(max(theirs.brier - there**2, 0.0))
        yield measured(name, getattr(ours, name) - there, deviation)
    for name in classes:
        change = ours.bias_of(name) - theirs.bias_of(name)
        yield measured("bias", change, theirs.deviation_of(name), name)

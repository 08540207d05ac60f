"""Whether a champion's probabilities still hold: statistics, limits and verdict. Pure.

The two statistics are the directions in which a sigmoid can be learnt anew: its intercept (`bias`)
and its slope (`overconfidence`). Both are means over rows, so their noise follows from the blocks
of the reference as that of a loss does, and neither is larger than the calibration error.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

from tasks import reliability_table
from tasks.class_losses import compared
from tasks.drift import Judgement, Verdict, insufficient
from tasks.limits import critical_value
from tasks.reference import Reference
from tasks.reliability_table import ReliabilityTable
from tasks.spec import ModelSpec
from tasks.statistic import Statistic
from tasks.summary import Summary
from tasks.windows import windows_per_year


def judge(window: Summary, reference: Reference, spec: ModelSpec) -> Judgement:
    """Return the verdict on the probabilities of a window's labelled rows.

    `insufficient` where window or reference has fewer than `window.min_rows` labels with
    probabilities, or a class is missing from the labels.
    """
    ours, theirs = window.reliability, reference.summary.reliability
    least = spec.window.min_rows
    if min(ours.effective_rows, theirs.effective_rows) < least:
        return insufficient(f"fewer than {least} labels to hold the probabilities against")
    if "overconfidence" not in reference.spread.design_effects:
        return insufficient("blocks of the reference have no label to learn the noise from")
    if gone := compared(window, reference.summary).absent:
        return insufficient(f"no label is {' or '.join(gone)}")
    statistics = tuple(_statistics(ours, theirs, reference, spec))
    pressure = max(s.pressure for s in statistics)
    if pressure <= 1 and all(s.blind for s in statistics):
        return Judgement("insufficient", "too few independent labels", True, None, statistics)
    verdict: Verdict = "drifting" if pressure > 1 else "steady"
    beyond = ", ".join(s.name for s in statistics if s.pressure > 1)
    reason = f"above the limit: {beyond}" if beyond else "the probabilities hold"
    return Judgement(verdict, reason, True, pressure, statistics)


def figures(window: Summary, reference: Reference, said: Judgement) -> dict[str, Any]:
    """Return what the observation keeps: verdict, statistics, and what people read, JSON-ready."""
    told: dict[str, Any] = {
        "verdict": said.verdict,
        "reason": said.reason,
        "pressure": said.pressure,
        "statistics": [s.as_json() for s in said.statistics],
    }
    pairs = (("", window.reliability), ("_reference", reference.summary.reliability))
    for suffix, table in pairs:
        if table.weight_squared:
            told[f"brier{suffix}"] = table.brier
            told[f"calibration_error{suffix}"] = table.calibration_error
    if window.reliability.weight_squared:
        told["table"] = reliability_table.to_json(window.reliability)
    return told


def _statistics(
    ours: ReliabilityTable, theirs: ReliabilityTable, reference: Reference, spec: ModelSpec
) -> Iterator[Statistic]:
    policy, spread = spec.drift.calibration, reference.spread
    # More rows than a block held are not known to tell more than that block did.
    n, m = min(ours.effective_rows, spread.rows), theirs.effective_rows
    names = ("overconfidence",) if theirs.top else ("overconfidence", "bias")
    # One share is kept back: the sigmoid was itself learnt on few independent rows.
    openings = policy.false_alarms_per_year / windows_per_year(spec.window) / (len(names) + 1)
    critical = critical_value(openings, spec.latch, n / (n + m), spread.degrees)
    for name in names:
        there = getattr(theirs, name)
        deviation = sqrt(max(theirs.brier - there**2, 0.0))
        standard = sqrt(spread.design_effects[name] * (1 / n + 1 / m))
        change = getattr(ours, name) - there
        noise = critical * deviation * standard
        yield Statistic.measured(name, change, policy.effect, noise, spec.drift)

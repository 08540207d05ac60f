"""The verdict on a window: what its statistics say together, and on what that rests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.drift import class_losses, constant, reasons
from tasks.drift.catalogue import (
    ALONE,
    HINGE_LOSS,
    KINDS,
    KS_LABELLED,
    LOST_LEVEL,
    SHAPES,
    VIOLATION_RATE,
    shares,
)
from tasks.drift.class_losses import Classes, compared_classes
from tasks.drift.reference import Reference
from tasks.drift.statistic import Chance, Statistic, of_distance, of_loss, of_violations
from tasks.drift.summary import Summary
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift

Verdict = Literal["steady", "drifting", "insufficient"]
_OWN = 1 / 2  # of what a class loses must show in the loss of all


@dataclass(frozen=True)
class Judgement:
    """What a window's summary says against the reference.

    `pressure` is the one number that the latch reads: above 1 the window breaches. `rests_on` names
    the statistics that could have seen a change.
    """

    verdict: Verdict
    reason: str
    labelled: bool
    pressure: float | None
    statistics: tuple[Statistic, ...]

    @property
    def shows(self) -> bool:
        """Return whether the scores alone are beyond their limits."""
        return any(s.pressure > 1 for s in self.statistics if s.name in SHAPES)

    @property
    def rests_on(self) -> tuple[str, ...]:
        return tuple(s.title for s in self.statistics if not s.blind)


def judge_margins(
    window: Summary, reference: Reference, spec: ModelSpec, level: Reference | None = None
) -> Judgement:
    """Return the verdict on a window.

    The scores of all rows are always compared; losses, all together and class by class, where both
    sides have at least `window.min_rows` labels of classes that both have.

    Parameters
    ----------
    level
        The reference of the best earlier champion, while it is plausible that its loss can be had
        again: the window's loss is also held against it.

    Raises
    ------
    ValueError
        If window and reference are summarised on different grids.
    """
    accepted, least = reference.summary, spec.window.min_rows
    if window.grid != accepted.grid:
        raise ValueError(
            "window and reference are summarised on different grids; measure the window again"
        )
    if window.rows < least:
        return insufficient(f"{window.rows} rows, fewer than window.min_rows = {least}")
    if accepted.scores.moments.constant:
        return insufficient("all margins of the reference are equal; retrain on rows that differ")
    classes = compared_classes(window, accepted)
    labelled = min(losses.effective_rows for losses in classes.together) >= least
    before = None if level is None else compared_classes(window, level.summary).together
    if not labelled or before is None or min(b.effective_rows for b in before) < least:
        before = level = None
    policy = spec.drift
    parts = shares(policy, labelled, level is not None, class_losses.class_statistics(classes))
    chance = Chance(reference, spec, parts)
    found = [
        kind.measure(kind, window, accepted, policy, chance)
        for kind in KINDS
        if kind.measure is not None and kind.on(policy)
    ]
    if labelled:
        if classes.alike:
            ours, theirs = window.margins, accepted.margins
            found.append(of_distance(KS_LABELLED, ours, theirs, policy, chance))
        found.append(of_loss(HINGE_LOSS, *classes.overall, policy, chance))
        found.append(of_violations(VIOLATION_RATE, *classes.overall, policy, chance))
        found += class_losses.statistics(classes, policy, chance)
        found += constant.statistic(window, accepted, policy, chance)
    if level is not None and before is not None:
        memory = Chance(level, spec, parts)
        found.append(of_loss(LOST_LEVEL, *before, policy, memory))
    remarks = reasons.of_classes(classes) if labelled else reasons.unused(window, classes, least)
    return _verdict(tuple(found), labelled, policy, classes, tuple(remarks))


def insufficient(reason: str) -> Judgement:
    """Return the verdict on a window about which nothing can be said."""
    return Judgement("insufficient", reason, False, None, ())


def _verdict(
    found: tuple[Statistic, ...],
    labelled: bool,
    policy: Drift,
    classes: Classes,
    remarks: Sequence[str],
) -> Judgement:
    breaching = [s for s in found if s.pressure > 1]
    pressure = _pressure(found, labelled, policy, classes)

    def said(verdict: Verdict, reason: str) -> Judgement:
        of_limit = None if verdict == "insufficient" else pressure
        return Judgement(verdict, "; ".join([reason, *remarks]), labelled, of_limit, found)

    if policy.confirm == "required" and not labelled and breaching:
        reason = "the margins breach, but drift.confirm is `required` and labels are missing"
        return said("insufficient", reason)
    if pressure > 1:
        return said("drifting", reasons.above(breaching))
    if all(s.blind for s in found):
        least = min(s.limit / s.effect for s in found)
        return said(
            "insufficient",
            f"too few independent rows: only a change {least:.1f} times as large as one that "
            "matters would stand out; widen window.every or training.window",
        )
    return said("steady", reasons.quiet(found, breaching))


def _pressure(found: Sequence[Statistic], labelled: bool, policy: Drift, classes: Classes) -> float:
    """Return how far the window is beyond what is let pass; above 1 it drifts.

    Where losses confirm, there are two ways to drift: something is beyond its limit and the loss
    rose by more than matters; or a loss alone is beyond its limit, though scores hold still.
    """
    if not labelled or policy.confirm == "never":
        return max(s.pressure for s in found)
    loss = next(s for s in found if s.name == "hinge_loss")
    evidence = max(s.pressure for s in found if s.name not in ALONE)
    alone = [s.pressure for s in found if s.name in ALONE]
    return max(min(evidence, loss.size / loss.effect), *alone, *_of_classes(found, loss, classes))


def _of_classes(
    found: Sequence[Statistic], overall: Statistic, classes: Classes
) -> Iterator[float]:
    """Yield how far each class's loss is beyond its limit, less what other classes win.

    A margin that fell beyond its limit counts as such a loss, if the loss rose by its effect.
    If one class loses what the others win, the threshold or the rows changed, but not the rule.
    """
    weight = classes.together[0].weight
    margins = {s.of: s.pressure for s in found if s.name == "class_margin"}
    for loss in (s for s in found if s.name == "class_loss"):
        share = classes.judged[loss.of or ""][0].weight / weight
        mine = share * loss.size * _OWN
        margin = min(margins.get(loss.of, 0.0), loss.size / loss.effect)
        yield min(max(loss.pressure, margin), overall.size / mine if mine else 0.0)

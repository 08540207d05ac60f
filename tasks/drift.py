"""The verdict on a window: what its statistics say together, and on what that rests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import Literal

from tasks import class_losses, reasons
from tasks.class_losses import compared
from tasks.reference import Reference
from tasks.spec import Drift, ModelSpec
from tasks.statistic import Chance, Shares, Statistic, of_distance, of_loss, of_violations, shapes
from tasks.summary import Summary

Verdict = Literal["steady", "drifting", "insufficient"]
LARGE = 1 / 2  # of the reference's loss: a rise that matters though scores hold still
_SHAPES = ("ks", "wasserstein", "margin_density", "ks_labelled")
_OVERALL = ("hinge_loss", "lost_level")


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
    def rests_on(self) -> tuple[str, ...]:
        return tuple(s.title for s in self.statistics if not s.blind)


def judge(
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
        raise ValueError("window and reference are summarised on different grids; measure it anew")
    if window.rows < least:
        return insufficient(f"{window.rows} rows, fewer than window.min_rows = {least}")
    if accepted.scores.moments.constant:
        return insufficient("all margins of the reference are equal; retrain on rows that differ")
    classes = compared(window, accepted)
    labelled = min(losses.effective_rows for losses in classes.together) >= least
    before = None if level is None else compared(window, level.summary).together
    if not labelled or before is None or min(b.effective_rows for b in before) < least:
        before = level = None
    shares = Shares(labelled, level is not None, len(classes.judged))
    chance = Chance(reference, spec, shares)
    found = [*shapes(window, accepted, spec.drift, chance)]
    if labelled:
        if classes.alike:
            ours, theirs = window.margins, accepted.margins
            found.append(of_distance("ks_labelled", "margins", ours, theirs, spec.drift, chance))
        found.append(of_loss("hinge_loss", *classes.together, spec.drift, chance))
        found.append(of_violations(*classes.together, spec.drift, chance))
        found += class_losses.statistics(classes, spec.drift, chance)
    if level is not None and before is not None:
        memory = Chance(level, spec, shares)
        found.append(of_loss("lost_level", *before, spec.drift, memory))
    remarks = reasons.of_classes(classes) if labelled else reasons.unused(window, classes, least)
    return _verdict(tuple(found), labelled, spec.drift, tuple(remarks))


def insufficient(reason: str) -> Judgement:
    """Return the verdict on a window about which nothing can be said."""
    return Judgement("insufficient", reason, False, None, ())


def _verdict(
    found: tuple[Statistic, ...], labelled: bool, policy: Drift, remarks: Sequence[str]
) -> Judgement:
    breaching = [s for s in found if s.pressure > 1]
    pressure = _pressure(found, labelled, policy)

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


def _pressure(found: Sequence[Statistic], labelled: bool, policy: Drift) -> float:
    """Return how far the window is beyond what is let pass; above 1 it drifts.

    Where losses confirm, there are two ways to drift. Scores and loss both change by more than
    matters, and something is beyond chance; or a loss, of all rows or of a class, is beyond its
    limit and large in proportion, though scores hold still.
    """
    if not labelled or policy.confirm == "never":
        return max(s.pressure for s in found)
    shape = max(s.size / s.effect for s in found if s.name in _SHAPES)
    loss = next(s for s in found if s.name == "hinge_loss")
    evidence = max(s.pressure for s in found if s.name != "lost_level")
    alone = [min(s.pressure, _in_proportion(s)) for s in found if s.name in _OVERALL]
    return max(min(evidence, shape, loss.size / loss.effect), *alone, *_of_classes(found))


def _of_classes(found: Sequence[Statistic]) -> Iterator[float]:
    losses = [s for s in found if s.name == "class_loss"]
    recalls = {s.of: s for s in found if s.name == "class_recall"}
    for loss in losses:
        recall = recalls[loss.of]
        others = [s.value for s in losses if s is not loss]
        # What one class loses and the others win is another threshold, and no other rule.
        won = max(-fmean(others), 0.0) if others else 0.0
        yield min(
            loss.pressure,
            max(recall.size / recall.effect, _in_proportion(loss)),
            max(loss.size - won, 0.0) / loss.effect,
        )


def _in_proportion(loss: Statistic) -> float:
    """Return a loss's rise as a share of one that is large."""
    large = LARGE * (loss.reference or 0.0)
    return loss.size / large if large else inf

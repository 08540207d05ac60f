"""Probabilities that contradict the scores they were learnt from. Pure.

A defect that the champion has too is named, and is no reason to keep the champion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.arrays import Ints
from tasks.gates.contest import Contest
from tasks.gates.gate_result import GateResult, verdict
from tasks.gates.losses import Scored


@dataclass(frozen=True)
class Learnt:
    """What a model learnt: a slope for each class that it was fit on, or one for all; and which.

    As `calibration.slopes` and `absent.learnt_classes` return them. What it was not fit on has no
    defect.
    """

    slopes: Sequence[float]
    classes: Ints


def calibration_slope(learnt: Contest[Learnt], classes: Sequence[str]) -> list[GateResult]:
    """Return whether larger margins mean larger probabilities, at least where the champion's do."""

    def found(learnt: Learnt) -> _Found:
        wrong = np.zeros(len(classes) if len(classes) > 2 else 1, dtype=bool)
        wrong[learnt.classes if len(learnt.slopes) > 1 else ...] = np.array(learnt.slopes) <= 0
        return _Found(wrong.tolist(), min(learnt.slopes))

    slopes = learnt.candidate.slopes
    return _shared(
        "calibration_slope",
        learnt.map(found),
        classes,
        sound="a larger margin means a larger probability",
        defect=f"a larger margin means no larger probability, slope {min(slopes):.3g}",
        remedy="calibrate on more rows (training.window, calibration.share)"
        + (", or by temperature (calibration.method)" if len(slopes) > 1 else ""),
    )


def ranking_kept(
    answers: Contest[Scored], learnt: Contest[Learnt], classes: Sequence[str]
) -> list[GateResult]:
    """Return whether probabilities rank rows as scores do, at least where the champion's do.

    Of two classes no row may change its place; ties are fine. Of more, probabilities are made to
    sum to 1, which moves rows a little: each class's rank correlation must be positive.
    """
    candidate, champion = answers.candidate, answers.champion
    ours = _ranked(candidate, learnt.candidate)
    theirs = None
    if champion is not None and learnt.champion is not None:
        theirs = _ranked(champion, learnt.champion)
    found = Contest(candidate=ours, champion=theirs)
    defect = "probabilities do not rank rows as scores do"
    if candidate.decision.ndim == 1:
        defect = f"{ours.figure:g} neighbours by score stand the other way round by probability"
    return _shared(
        "ranking_kept",
        found,
        classes,
        sound="probabilities rank rows as scores do",
        defect=defect,
        remedy="use another calibration.method, or more rows for it (calibration.share)",
    )


@dataclass(frozen=True)
class _Found:
    """Whether each class has a defect (with two classes: one answer), and a figure for it."""

    wrong: Sequence[bool]
    figure: float


def _ranked(scored: Scored, learnt: Learnt) -> _Found:
    """Return the count of rows out of place, or of more classes the least rank correlation."""
    if scored.decision.ndim == 1:
        ranked = scored.probability[np.argsort(scored.decision, kind="stable"), 1]
        turned = int((np.diff(ranked) < -1e-12).sum())
        return _Found([turned > 0], float(turned))
    from scipy.stats import spearmanr

    pairs = [(scored.decision[:, c], scored.probability[:, c]) for c in learnt.classes]
    # What is all the same ranks nothing, and has no correlation.
    each = [float(spearmanr(f, p).statistic) if np.ptp(f) and np.ptp(p) else 0.0 for f, p in pairs]
    wrong = np.zeros(scored.decision.shape[1], dtype=bool)
    wrong[learnt.classes] = [not correlation > 0 for correlation in each]
    return _Found(wrong.tolist(), min(each))


def _shared(
    name: str,
    found: Contest[_Found],
    classes: Sequence[str],
    *,
    sound: str,
    defect: str,
    remedy: str,
) -> list[GateResult]:
    """Return a failure where the candidate has a defect that the champion has not."""
    ours, theirs = found.candidate, found.champion
    known = [False] * len(ours.wrong) if theirs is None else theirs.wrong
    pairs = list(zip(ours.wrong, known, strict=True))

    def of(which: list[bool]) -> str:
        named = ", ".join(name for name, mine in zip(classes, which, strict=True) if mine)
        return f", of class {named}"

    new, both = [a and not b for a, b in pairs], [a and b for a, b in pairs]
    reason = sound
    if any(new):
        reason = f"{defect}{of(new) if len(new) > 1 else ''}; {remedy}"
    if any(both):
        said = f"the champion is no better{of(both) if len(both) > 1 else ''}: no reason to keep it"
        reason = f"{reason if any(new) else defect}; {said}"
    figure = None if theirs is None else theirs.figure
    ok = verdict(not any(new))
    return [GateResult(name, ok, reason, candidate=ours.figure, champion=figure)]

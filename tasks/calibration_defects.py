"""Probabilities that contradict the scores they were learnt from. Pure.

A defect that the champion has too is named, and is no reason to keep the champion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.gates import GateResult, verdict
from tasks.scored import Scored


def calibration_slope(
    slopes: Sequence[float], champions: Sequence[float] | None, classes: Sequence[str]
) -> list[GateResult]:
    """Return whether larger margins mean larger probabilities, at least where the champion's do.

    Parameters
    ----------
    slopes, champions
        As `calibration.slopes` returns them: one for each class, or one for all; None at the
        bootstrap.
    """

    def found(each: Sequence[float]) -> _Found:
        count = len(classes) if len(classes) > 2 else 1
        wrong = [slope <= 0 for slope in each]
        return _Found(wrong * (count // len(wrong)), min(each))

    return _shared(
        "calibration_slope",
        found(slopes),
        None if champions is None else found(champions),
        classes,
        sound="a larger margin means a larger probability",
        defect=f"a larger margin means no larger probability, slope {min(slopes):.3g}",
        remedy="calibrate on more rows (training.window, calibration.share)"
        + (", or by temperature (calibration.method)" if len(slopes) > 1 else ""),
    )


def ranking_kept(
    candidate: Scored, champion: Scored | None, classes: Sequence[str]
) -> list[GateResult]:
    """Return whether probabilities rank rows as scores do, at least where the champion's do.

    Of two classes no row may change its place; ties are fine. Of more, probabilities are made to
    sum to 1, which moves rows a little: each class's rank correlation must be positive.
    """
    ours = _ranked(candidate)
    defect = "probabilities do not rank rows as scores do"
    if candidate.decision.ndim == 1:
        defect = f"{ours.figure:g} neighbours by score stand the other way round by probability"
    return _shared(
        "ranking_kept",
        ours,
        None if champion is None else _ranked(champion),
        classes,
        sound="probabilities rank rows as scores do",
        defect=defect,
        remedy="use another calibration.method, or more rows for it (calibration.share)",
    )


@dataclass(frozen=True)
class _Found:
    """Whether there is a defect, for each class (of two classes once), and a figure of it."""

    wrong: Sequence[bool]
    figure: float


def _ranked(scored: Scored) -> _Found:
    """Return the count of rows out of place, or of more classes the least rank correlation."""
    if scored.decision.ndim == 1:
        ranked = scored.probability[np.argsort(scored.decision, kind="stable"), 1]
        turned = int((np.diff(ranked) < -1e-12).sum())
        return _Found([turned > 0], float(turned))
    from scipy.stats import spearmanr

    pairs = zip(scored.decision.T, scored.probability.T, strict=True)
    # What is all the same ranks nothing, and has no correlation.
    each = [float(spearmanr(f, p).statistic) if np.ptp(f) and np.ptp(p) else 0.0 for f, p in pairs]
    return _Found([not correlation > 0 for correlation in each], min(each))


def _shared(
    name: str,
    ours: _Found,
    theirs: _Found | None,
    classes: Sequence[str],
    *,
    sound: str,
    defect: str,
    remedy: str,
) -> list[GateResult]:
    """Return a failure where the candidate has a defect that the champion has not."""
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
    return [GateResult(name, verdict(not any(new)), reason, ours.figure, figure)]

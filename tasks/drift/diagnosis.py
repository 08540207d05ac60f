"""Is it drift, or is something broken? Named findings that call for a repair, not for a retrain.

Each compares a window's summary with the reference's; the thresholds are round figures far outside
of what healthy windows show. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.drift.class_losses import EXPECTED, compared_classes
from tasks.drift.moments import Moments
from tasks.drift.reasons import listed
from tasks.drift.summary import Summary
from tasks.drift.verdict import Judgement

SCALE = 10  # times the reference's standard deviation, or that part of it
COLLAPSED = 0.1  # of the reference's standard deviation
NO_GRADIENT = 0.99  # share of labelled rows without a hinge loss
TAIL = 3  # times the reference's loss tail ratio
FEW, MOST = 0.01, 0.5  # share of the rows, and of the distance that they make
CONFIDENT_ERRORS = 0.05  # rise of the share of confident decisions that the label contradicts
DEPLOYED = 0.05  # standard deviations between logged and recomputed mean margins
ENOUGH = 3 * EXPECTED  # rows of a class: ten to fit, to calibrate and to judge
OVERFIT = 0.5  # share of the judged hinge loss that fitting did not show


@dataclass(frozen=True)
class Diagnosis:
    """What was found, in figures, and what to do about it."""

    name: str
    finding: str
    advice: str


def diagnose(
    window: Summary, reference: Summary, judgement: Judgement, hinge_gap: float | None = None
) -> tuple[Diagnosis, ...]:
    """Return what speaks against plain drift, the most telling first.

    Parameters
    ----------
    hinge_gap
        The champion's hinge loss on the rows that judged it, less that on the rows it was fit on.
    """
    found = [*_features(window, reference), *_margins(window, reference)]
    if judgement.labelled:
        # Where features or margins are broken, labels that disagree are no news.
        found += _losses(window, reference, judgement, blame=not found)
    found += _classes(window, reference)
    if all(d.name != "outlier_domination" for d in found):
        found += _outliers(window, reference, judgement)
    if hinge_gap is not None and reference.losses.weight:
        found += _overfit(reference, hinge_gap)
    return tuple(found)


def _features(window: Summary, reference: Summary) -> Iterator[Diagnosis]:
    for name, theirs in reference.features.items():
        ours = window.features[name]
        if theirs.constant:
            if not ours.constant or not np.isclose(ours.mean, theirs.mean, rtol=1e-9, atol=0):
                yield Diagnosis(
                    "constant_came_alive",
                    f"{name} was constant in the reference and varies now",
                    "the model has learnt nothing about it; find out what it means, then retrain "
                    "on rows in which it varies",
                )
            continue
        ratio = ours.deviation / theirs.deviation
        if ratio >= SCALE or ratio <= 1 / SCALE:
            yield Diagnosis(
                "broken_scaling",
                f"{name} varies {_times(ratio)} as much as in the reference{_unit(ours, theirs)}",
                "repair the feature where it is made, then run these windows again",
            )


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times"


def _unit(ours: Moments, theirs: Moments) -> str:
    """Say so if mean and deviation grew by the same factor, as a change of unit makes them."""
    ratio = ours.deviation / theirs.deviation
    off = abs(ours.mean - ratio * theirs.mean)
    return ", and so does its mean: a change of unit" if off <= 0.2 * ours.deviation else ""


def _margins(window: Summary, reference: Summary) -> Iterator[Diagnosis]:
    here, there = (s.scores.moments.deviation for s in (window, reference))
    if not there:
        return  # scores that are all equal leave nothing to compare with
    if here <= COLLAPSED * there:
        yield Diagnosis(
            "margin_collapse",
            f"the margins vary {here / there:.2g} times as much as in the reference: the model "
            "says the same of every row",
            "look for a feature that is missing, constant or filled with a default",
        )
    if window.contributions:
        recomputed = sum(window.contributions.values()) / window.rows
        gap = abs(window.scores.moments.mean - recomputed)
        if gap > DEPLOYED * there:
            yield Diagnosis(
                "deployment_drift",
                f"production logged a mean margin of {window.scores.moments.mean:.3g}; the "
                f"registered version gives {recomputed:.3g} on the same rows",
                "find out which version and which preprocessing production runs",
            )


def _outliers(window: Summary, reference: Summary, judgement: Judgement) -> Iterator[Diagnosis]:
    """Yield a Wasserstein breach that few scores, beyond all of the reference's, mostly make."""
    distance = next((s for s in judgement.statistics if s.name == "wasserstein"), None)
    if distance is None or distance.pressure <= 1:
        return
    bins, scores = reference.grid.scores, window.scores
    ends = np.array([0, len(bins) - 1])
    off = np.abs(scores.sums[ends] - scores.counts[ends] * bins.lefts[ends]).sum() * bins.unit
    share = int(scores.counts[ends].sum()) / window.rows
    part = off / window.rows / reference.scores.moments.deviation / distance.value
    if share <= FEW and part >= MOST:
        yield Diagnosis(
            "outlier_domination",
            f"{share:.2%} of the rows, whose scores lie beyond all of the reference's, make "
            f"{min(part, 1.0):.0%} of the Wasserstein distance",
            "look for outliers in the features; bound them with an expectation",
        )


def _losses(
    window: Summary, reference: Summary, judgement: Judgement, *, blame: bool
) -> Iterator[Diagnosis]:
    ours, theirs = window.losses, reference.losses
    if 1 - ours.violation_rate >= NO_GRADIENT:
        yield Diagnosis(
            "zero_gradient_share",
            f"{1 - ours.violation_rate:.1%} of the labelled rows have no hinge loss at all",
            "a retrain would learn from the few others; widen training.window",
        )
    if ours.loss_tail_ratio >= TAIL * theirs.loss_tail_ratio:
        yield Diagnosis(
            "outlier_domination",
            f"few rows have most of the hinge loss: tail ratio {ours.loss_tail_ratio:.1f}, "
            f"{theirs.loss_tail_ratio:.1f} in the reference",
            "look for outliers in the features; bound them with an expectation",
        )
    still = all(s.pressure <= 1 for s in judgement.statistics if s.name in ("ks", "wasserstein"))
    here, there = _confident_errors(window), _confident_errors(reference)
    if blame and still and here - there >= CONFIDENT_ERRORS:
        yield Diagnosis(
            "persistent_label_noise",
            f"the scores hold still, yet the label contradicts {here:.1%} of the confident "
            f"decisions (|margin| of 1 and more), {there:.1%} in the reference",
            "find out whether labels are made otherwise now, before a model learns them",
        )


def _classes(window: Summary, reference: Summary) -> Iterator[Diagnosis]:
    classes = compared_classes(window, reference)
    n, m = window.labelled, reference.labelled
    if classes.absent:
        due = sum(reference.classes[name].rows for name in classes.absent) * n / m
        yield Diagnosis(
            "class_absent",
            f"none of {n:,} labels is {listed(classes.absent, 'or')}, where {due:.0f} were to be "
            "expected",
            "look whether labels or rows are missing upstream; no verdict speaks of such rows",
        )
    if classes.new:
        ours, theirs = (
            sum(s.classes[name].rows for name in classes.new if name in s.classes)
            for s in (window, reference)
        )
        yield Diagnosis(
            "class_new",
            f"{ours:,} of {n:,} labels are {listed(classes.new, 'or')}; of the {m:,} on which the "
            f"champion was accepted {theirs:,} were",
            f"it cannot be relied on for them; retrain once training.window has {ENOUGH} rows of "
            "each",
        )


def _confident_errors(summary: Summary) -> float:
    """Return the share of labelled margins below -1 among those beyond ±1."""
    counts, bins = summary.margins.counts, summary.grid.margins
    wrong, right = int(counts[: bins.below(-1)].sum()), int(counts[bins.below(1) :].sum())
    return wrong / (wrong + right) if wrong + right else 0.0


def _overfit(reference: Summary, hinge_gap: float) -> Iterator[Diagnosis]:
    judged = reference.losses.hinge_loss
    if judged and hinge_gap >= OVERFIT * judged:
        yield Diagnosis(
            "overfit_margin",
            f"the champion's hinge loss was {judged - hinge_gap:.3f} on the rows it was fit on and "
            f"{judged:.3f} on others",
            "lower training.regularisation or widen training.window before the next retrain",
        )

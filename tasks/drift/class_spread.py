"""How much a class's losses differed from block to block while all was well. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.drift.loss_sums import Losses
from tasks.drift.summary import Summary

QUANTITIES = ("class_loss", "class_recall", "class_margin")


def name_of(quantity: str, of: str) -> str:
    """Return under which name the design effect of a class is kept."""
    return f"{quantity} {of}"


def class_effects(groups: Sequence[Sequence[Summary]], whole: Summary) -> dict[str, float]:
    """Return the design effects of each class's mean loss, recall and margin, at least 1.

    Classes fail in turn where the mean of all holds still, so theirs are not that of all rows.
    The F statistic of a one-way analysis of variance within groups, as `reference.design_effect`;
    a class that no group holds in two blocks has none.
    """
    found = {}
    for name in whole.classes:
        parts = [[b.classes[name] for b in g if b.classes[name].effective_rows] for g in groups]
        several = [group for group in parts if len(group) > 1]
        degrees = sum(len(group) - 1 for group in several)
        if degrees:
            between = sum(np.array([_between(group) for group in several]))
            for quantity, total in zip(QUANTITIES, between, strict=True):
                found[name_of(quantity, name)] = max(float(total) / degrees, 1.0)
    return found


def _between(group: Sequence[Losses]) -> list[float]:
    """Return Σ n (mean - mean of all)² over the variance of a row, of each quantity."""
    together = group[0]
    for losses in group[1:]:
        together = together.merge(losses)
    rows = np.array([losses.effective_rows for losses in group])
    pairs = (
        ([losses.hinge_loss for losses in group], together.hinge_variance),
        (
            [losses.error_rate for losses in group],
            together.error_rate * (1 - together.error_rate),
        ),
        ([losses.mean_margin for losses in group], together.margin_variance or 0.0),
    )
    totals = []
    for means, variance in pairs:
        gaps = np.array(means) - rows @ means / rows.sum()
        # Where all rows are alike, blocks cannot differ.
        totals.append(float(rows @ gaps**2) / variance if variance > 0 else len(group) - 1.0)
    return totals

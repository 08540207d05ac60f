"""Which features a margin comes from, and which of them moved it. Exact for linear models.

A linear margin is a sum, f(x) = b + Σ w·x, so the mean margin is the sum of the features' mean
contributions, and its change the sum of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints, Mask
from tasks.classifier.contributions import class_pairs, class_scores, score_pairs
from tasks.classifier.linear import explained, linear
from tasks.drift.summary import Summary

INTERCEPT = "(intercept)"


def contributions_of_scores(model: Any, inputs: Any, decision: Floats) -> dict[str, float]:
    """Return each feature's contribution to the margins without labels, summed over the rows.

    None of a model that is no known sum over the features.

    Parameters
    ----------
    model
        A fitted pipeline of a ColumnTransformer and a linear model, or a calibrated one.
    inputs, decision
        What `scoring.score` returned for the rows.
    """
    if not explained(model):
        return {}
    return _sums(model, inputs, score_pairs(decision))


def contributions_by_class(
    model: Any, inputs: Any, decision: Floats, label: Ints, classes: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Return each feature's contribution to the labelled margins, summed over each class's rows."""
    if not explained(model):
        return {}
    found = {}
    for index, name in enumerate(classes):
        rows = label == index
        if decision.ndim == 1:
            found[name] = _sums(model, inputs, [(index, 1 - index, rows)])
            continue
        others = decision.copy()
        others[:, index] = -np.inf
        toward = np.full(len(decision), index)
        pairs = class_pairs(toward, others.argmax(axis=1), rows, len(classes))
        found[name] = _sums(model, inputs, pairs)
    return found


def _sums(model: Any, inputs: Any, pairs: Iterable[tuple[int, int, Mask]]) -> dict[str, float]:
    """Return Σ (w_plus - w_minus)·x over the rows of each pair (plus, minus), by feature."""
    f = linear(getattr(model, "estimator", model))
    weights, intercepts = class_scores(f)
    total, intercept = np.zeros(weights.shape[1]), 0.0
    for plus, minus, rows in pairs:
        # A product with 0 and 1 sums the rows without copying them.
        count, sums = np.count_nonzero(rows), rows.astype(np.float64) @ inputs
        total += (sums - count * f.centre) * (weights[plus] - weights[minus])
        intercept += float(count * (intercepts[plus] - intercepts[minus]))
    features = zip(f.names, np.add.reduceat(total, f.first).tolist(), strict=True)
    return {**dict(features), INTERCEPT: intercept}


def change(window: Summary, reference: Summary) -> dict[str, float]:
    """Return by how much each feature changed the mean margin without labels, largest first.

    They add up to the change of the mean.
    """
    return _change(window.contributions, window.rows, reference.contributions, reference.rows)


def change_of_class(window: Summary, reference: Summary, name: str) -> dict[str, float]:
    """Return by how much each feature changed the mean labelled margin of a class."""
    return _change(
        window.class_contributions.get(name, {}),
        window.classes[name].rows,
        reference.class_contributions.get(name, {}),
        reference.classes[name].rows,
    )


def _change(
    ours: Mapping[str, float], n: int, theirs: Mapping[str, float], m: int
) -> dict[str, float]:
    if not (n and m and ours and theirs):
        return {}
    moved = {name: ours[name] / n - theirs[name] / m for name in theirs}
    return dict(sorted(moved.items(), key=lambda item: -abs(item[1])))

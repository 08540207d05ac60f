"""Which features a margin comes from, and which of them moved it. Exact for linear models.

A linear margin is a sum, f(x) = b + Σ w·x, so the mean margin is the sum of the features' mean
contributions, and its change the sum of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from tasks.margins import Floats, Ints
from tasks.summary import Summary

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

INTERCEPT = "(intercept)"


def of_scores(model: Any, inputs: Any, decision: Floats) -> dict[str, float]:
    """Return each feature's contribution to the margins without labels, summed over the rows.

    Parameters
    ----------
    model
        A fitted pipeline of a ColumnTransformer and a linear model, or a calibrated one.
    inputs, decision
        What `training.score` returned for the rows.
    """
    toward, against = np.ones(len(decision), int), np.zeros(len(decision), int)
    if decision.ndim > 1:
        order = np.argsort(decision, axis=1)
        toward, against = order[:, -1], order[:, -2]
    return _sums(model, inputs, toward, against, np.ones(len(decision), bool))


def of_classes(
    model: Any, inputs: Any, decision: Floats, label: Ints, classes: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Return each feature's contribution to the labelled margins, summed over each class's rows."""
    found = {}
    for index, name in enumerate(classes):
        if decision.ndim == 1:
            rival = np.full(len(decision), 1 - index)
        else:
            others = decision.copy()
            others[:, index] = -np.inf
            rival = others.argmax(axis=1)
        toward = np.full(len(decision), index)
        found[name] = _sums(model, inputs, toward, rival, label == index)
    return found


def _sums(model: Any, inputs: Any, toward: Ints, against: Ints, rows: Mask) -> dict[str, float]:
    """Return Σ (w_toward - w_against)·x over those rows, by feature."""
    inner = getattr(model, "estimator", model)
    weights, intercepts = inner[-1].coef_, inner[-1].intercept_
    if len(weights) == 1:  # of two classes, only the positive one has a score
        weights = np.vstack([np.zeros_like(weights), weights])
        intercepts = np.r_[0.0, intercepts]
    total, intercept = np.zeros(weights.shape[1]), 0.0
    pairs = toward * len(weights) + against
    counts = np.bincount(pairs[rows])
    for pair in np.flatnonzero(counts):
        plus, minus = divmod(int(pair), len(weights))
        # A product with 0 and 1 sums the rows without copying them.
        chosen = (rows & (pairs == pair)).astype(np.float64)
        total += (chosen @ inputs) * (weights[plus] - weights[minus])
        intercept += float(counts[pair] * (intercepts[plus] - intercepts[minus]))
    sums = {name: float(total[columns].sum()) for name, columns in _inputs_of(inner).items()}
    return {**sums, INTERCEPT: intercept}


def _inputs_of(pipeline: Any) -> dict[str, slice]:
    """Return which model inputs each feature became."""
    transform = pipeline[0]
    found: dict[str, slice] = {}
    for name, step, columns in transform.transformers_:
        place = transform.output_indices_[name]
        if name == "remainder":
            continue
        if isinstance(columns, str):  # the one column of a text
            sizes, columns = [place.stop - place.start], [columns]
        elif name == "numeric":
            sizes = [1] * len(columns)
        else:
            sizes = [len(c) for c in step.categories_]
        ends = place.start + np.cumsum(sizes)
        found |= {
            c: slice(int(e - n), int(e)) for c, n, e in zip(columns, sizes, ends, strict=True)
        }
    return found


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

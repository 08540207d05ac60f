"""Which features a single row's margin comes from. Exact for linear models: f(x) = b + Σ w·x."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints, Mask
from tasks.classifier.linear import Linear, linear


def score_pairs(decision: Floats) -> Iterator[tuple[int, int, Mask]]:
    """Yield the pairs of classes that margins without a label are between, each with its rows.

    Of two classes that is one pair; of more, the class on top and the second of each row.
    """
    everything = np.ones(len(decision), dtype=bool)
    if decision.ndim == 1:
        yield 1, 0, everything
        return
    order = np.argsort(decision, axis=1)
    yield from class_pairs(order[:, -1], order[:, -2], everything, decision.shape[1])


def class_pairs(
    toward: Ints, against: Ints, rows: Mask, classes: int
) -> Iterator[tuple[int, int, Mask]]:
    """Yield each pair of classes, and which of those rows are between them."""
    pairs = toward * classes + against
    for pair in np.flatnonzero(np.bincount(pairs[rows])):
        plus, minus = divmod(int(pair), classes)
        yield plus, minus, rows & (pairs == pair)


def class_scores(f: Linear) -> tuple[Floats, Floats]:
    """Return weights, shape (k, d), and intercepts, (k,), of every class; of two, 0 and f."""
    if len(f.weights) > 1:
        return f.weights, f.intercepts
    return np.vstack([np.zeros_like(f.weights), f.weights]), np.r_[0.0, f.intercepts]


def row_contributions(model: Any, inputs: Any, decision: Floats) -> tuple[list[str], Floats]:
    """Return the features, and what each adds to each row's margin without a label, shape (n, F).

    With the intercept they add up to f(x) of two classes; of more, to the top score minus the
    second.

    Parameters
    ----------
    model
        A fitted pipeline of a ColumnTransformer and a linear model, or a calibrated one.
    inputs, decision
        What `scoring.score` returned for the rows.
    """
    f = linear(getattr(model, "estimator", model))
    weights, _ = class_scores(f)
    found = np.zeros((len(decision), len(f.names)))
    for plus, minus, rows in score_pairs(decision):
        found[rows] = _between(f, weights[plus] - weights[minus], inputs[rows])
    return f.names, found


def _between(f: Linear, weights: Floats, inputs: Any) -> Floats:
    """Return Σ weights·(x - centre) over the inputs of each feature, shape (n, F)."""
    from scipy import sparse

    size = np.diff([*f.first, len(weights)])
    feature = np.repeat(np.arange(len(f.names)), size)
    # One column for each feature: its inputs' weights stand there, and nothing else.
    each = sparse.csr_array((weights, (np.arange(len(weights)), feature)))
    # `InputColumns` multiplies a single column by itself, and no sparse one.
    found = inputs @ (each if len(f.names) > 1 else each.toarray())
    found = found.toarray() if sparse.issparse(found) else np.asarray(found)
    return np.asarray(found - np.add.reduceat(weights * f.centre, f.first))

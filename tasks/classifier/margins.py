"""Decision values → margins and their losses. Pure: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Floats, Ints


def labelled(label: Ints) -> Any:
    """Return where a label is known, to index with: all of them without a copy, if it always is.

    Parameters
    ----------
    label
        Index of the true class, shape (n,); -1 where it is not known.
    """
    known = label >= 0
    return slice(None) if known.all() else known


def confidence(decision: Floats) -> Floats:
    """Return the margin without a label.

    Parameters
    ----------
    decision
        Decision values, shape (n,) for two classes or (n, k) for k > 2.

    Returns
    -------
    Shape (n,): f(x) for two classes; for more, the top score minus the second.
    """
    if decision.ndim == 1:
        return decision
    top = np.partition(decision, -2, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


def margin(decision: Floats, label: Ints) -> Floats:
    """Return the margin with a label; positive where the decision is right.

    Parameters
    ----------
    decision
        Decision values, shape (n,) for two classes or (n, k) for k > 2.
    label
        Index of the true class, shape (n,), 0 … k-1; of two classes, 1 is the positive one.

    Returns
    -------
    Shape (n,): y·f(x) with y in {-1, 1}; for more classes f_y minus the best other score
    (Crammer & Singer, 2001).
    """
    if decision.ndim == 1:
        return np.where(label == 1, decision, -decision)
    rows = np.arange(len(label))
    others = decision.copy()
    others[rows, label] = -np.inf
    return np.asarray(decision[rows, label] - others.max(axis=1))


def hinge(margin: Floats) -> Floats:
    """Return max(0, 1 - margin) for each margin; of multi-class margins the categorical hinge."""
    return np.maximum(0.0, 1.0 - margin)


def violation(margin: Floats) -> NDArray[np.bool_]:
    """Return where the margin is below 1: the row would be a support vector."""
    return np.asarray(margin < 1.0)


def error(margin: Floats) -> NDArray[np.bool_]:
    """Return where the decision is wrong; a margin of exactly 0 counts as wrong."""
    return np.asarray(margin <= 0.0)

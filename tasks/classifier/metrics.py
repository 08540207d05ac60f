"""Streaming hinge metrics that merge, with the semantics of Keras 3. Pure NumPy, in float64.

Reference: Keras, *Hinge metrics*, https://keras.io/api/metrics/hinge_metrics/
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from tasks.arrays import Floats
from tasks.classifier.margins import hinge


@dataclass
class _MeanLoss(ABC):
    """Weighted mean of a loss over all samples seen.

    The state is Keras' own: `total`, the sum of loss × weight, and `count`, the sum of weights.
    """

    total: float = 0.0
    count: float = 0.0

    @staticmethod
    @abstractmethod
    def _loss(y_true: Floats, y_pred: Floats) -> Floats:
        """Return the losses, of the same shape without its last axis."""

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Add a batch; an empty one adds nothing, a refused one leaves the state as it was.

        Parameters
        ----------
        y_true
            Labels, of the same shape as `y_pred`.
        y_pred
            Decision values, shape (n, …, k). The loss is taken over the last axis and averaged
            over those between. One column is (n, 1): of (n,), Keras makes a single sample.
        sample_weight
            Weights, none negative. Their axes meet the losses' (n, …) from the left and broadcast;
            a last axis of 1 too many is dropped. A single number weighs the batch as one sample.

        Raises
        ------
        ValueError
            If a value is not finite, a weight is negative, or the shapes do not fit. Keras itself
            refuses some of the last only.
        """
        label, decision = _finite("y_true", y_true), _finite("y_pred", y_pred)
        if label.shape != decision.shape or not decision.ndim:
            shapes = f"y_true has shape {label.shape} and y_pred {decision.shape}"
            raise ValueError(f"{shapes}: give both the same, (n, k), or (n, 1) for one column")
        weight = _finite("sample_weight", 1.0 if sample_weight is None else sample_weight)
        if (weight < 0).any():
            raise ValueError(f"sample_weight has {weight.min()}: weights are 0 or more")
        if not decision.size:
            return
        loss = self._loss(label, decision)
        if sample_weight is None:
            weight = np.ones_like(loss)
        elif weight.ndim == loss.ndim + 1 and weight.shape[-1] == 1:
            weight = weight[..., 0]
        loss = np.asarray(loss.mean(axis=tuple(range(weight.ndim, loss.ndim))))
        try:
            weight = np.broadcast_to(weight, loss.shape)
        except ValueError:
            shapes = f"sample_weight has shape {weight.shape} and the losses {loss.shape}"
            raise ValueError(f"{shapes}: give a weight for each row of y_pred") from None
        per_sample = prod(loss.shape[1:])
        self.total += float((loss * weight).sum()) / per_sample
        self.count += float(weight.sum()) / per_sample

    def result(self) -> float:
        """Return the mean; 0.0 of no samples, or of weights that are all 0, as Keras does."""
        return self.total / self.count if self.count else 0.0

    def reset_state(self) -> None:
        """Forget every batch."""
        self.total = self.count = 0.0

    def merge(self, other: Self) -> Self:
        """Return a new metric that has seen both's batches; TypeError if `other` is another's."""
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} merges with its own kind, not with {other!r}")
        return type(self)(self.total + other.total, self.count + other.count)


class Hinge(_MeanLoss):
    """Mean of max(0, 1 - y·f), as `keras.metrics.Hinge`.

    Labels are -1 or 1. A batch of only 0 and 1 is converted; any other is taken as it is.

    >>> metric = Hinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.5, 0.25], [0.5, 0.75]], sample_weight=[1, 3])
    >>> metric
    Hinge(total=6.0, count=4.0)
    >>> metric.merge(metric).result()
    1.5
    """

    @staticmethod
    def _loss(y_true: Floats, y_pred: Floats) -> Floats:
        return np.asarray(hinge(_signed(y_true) * y_pred).mean(axis=-1))


class SquaredHinge(_MeanLoss):
    """Mean of max(0, 1 - y·f)², as `keras.metrics.SquaredHinge`; labels as for `Hinge`.

    >>> metric = SquaredHinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.5, 0.5], [0.5, 1.0]])
    >>> metric.result()
    2.1875
    """

    @staticmethod
    def _loss(y_true: Floats, y_pred: Floats) -> Floats:
        return np.asarray((hinge(_signed(y_true) * y_pred) ** 2).mean(axis=-1))


class CategoricalHinge(_MeanLoss):
    """Mean of max(0, 1 - Σ y·f + max (1 - y)·f), as `keras.metrics.CategoricalHinge`.

    Labels are one-hot, 0 and 1, and never converted. The true class stands as 0 among the others:
    where all their scores are negative, this is more than the hinge of
    `tasks.classifier.margins.margin`.

    >>> metric = CategoricalHinge()
    >>> metric.update_state([[0, 1, 0], [1, 0, 0]], [[0.5, 1.0, 0.0], [0.5, -1.0, -2.0]])
    >>> metric.result()
    0.5

    References
    ----------
    Crammer & Singer, *On the Algorithmic Implementation of Multiclass Kernel-based Vector
    Machines*, JMLR 2, 2001.
    """

    @staticmethod
    def _loss(y_true: Floats, y_pred: Floats) -> Floats:
        others = ((1.0 - y_true) * y_pred).max(axis=-1)
        return hinge((y_true * y_pred).sum(axis=-1) - others)


def _signed(label: Floats) -> Floats:
    # Decided by the batch as a whole, as Keras does: one -1 in it leaves its zeros alone.
    return 2.0 * label - 1.0 if np.isin(label, (0.0, 1.0)).all() else label


def _finite(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        index = tuple(bad[0].tolist())
        raise ValueError(f"{name} has {array[index]} at {index}: leave such rows out")
    return array

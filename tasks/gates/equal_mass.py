"""How far probabilities are from frequencies, bin by bin. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.arrays import Floats, Ints

EQUAL_MASS_BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Bins of equal mass over the confidence in the decision that is most probable.

    Parameters
    ----------
    bin
        Bin of each row, shape (n,).
    excess
        Confidence minus being right, of each row, shape (n,).
    confidence, accuracy
        Mean of each bin, shape (bins,).
    rows
        Of each bin, shape (bins,).
    """

    bin: Ints
    excess: Floats
    confidence: Floats
    accuracy: Floats
    rows: Ints

    @property
    def expected_error(self) -> float:
        """Return the mean gap, weighed by rows (Naeini, Cooper & Hauskrecht, 2015)."""
        return float(self.rows @ np.abs(self.confidence - self.accuracy) / self.rows.sum())

    @property
    def maximum_error(self) -> float:
        """Return the widest gap."""
        return float(np.abs(self.confidence - self.accuracy).max())


def reliability(probability: Floats, label: Ints, bins: int = EQUAL_MASS_BINS) -> Reliability:
    """Return the bins of predictions, fewer where there are fewer rows.

    Parameters
    ----------
    probability
        Class probabilities, shape (n, k), n > 0.
    label
        Index of the true class, shape (n,).
    """
    top = probability.max(axis=1)
    right = (probability.argmax(axis=1) == label).astype(np.float64)
    count = min(bins, len(label))
    of_row = np.empty(len(label), dtype=np.int64)
    order = np.argsort(top, kind="stable")
    for number, rows in enumerate(np.array_split(order, count)):
        of_row[rows] = number
    rows = np.bincount(of_row, minlength=count)
    means = [np.bincount(of_row, part, count) / rows for part in (top, right)]
    return Reliability(of_row, top - right, means[0], means[1], rows)

"""Platt scaling on a slice of its own, and how far probabilities are from frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.margins import Floats, Ints
from tasks.summary import Distribution, Grid

BINS = 10


def platt(fitted: Any, frame: Any, label: Ints) -> Any:
    """Return the fitted model with sigmoids p = 1 / (1 + exp(a·f + b)) learnt on other rows.

    Platt (1999); one against the rest for more than two classes. The fitted model is not changed.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    everything = np.arange(len(label))
    # One fold: what is frozen need not be kept from the rows that it is asked about.
    whole = [(everything, everything)]
    model = CalibratedClassifierCV(FrozenEstimator(fitted), method="sigmoid", cv=whole)
    return model.fit(frame, label)


def slopes(calibrated: Any) -> tuple[float, ...]:
    """Return -a of each sigmoid: positive where a larger score means a larger probability."""
    inner = calibrated.calibrated_classifiers_[0]
    return tuple(-float(c.a_) for c in inner.calibrators)


def sigmoid(calibrated: Any) -> tuple[float, float] | None:
    """Return (a, b) of p = 1 / (1 + exp(a·f + b)) of two classes; None for more."""
    calibrators = calibrated.calibrated_classifiers_[0].calibrators
    if len(calibrators) > 1:
        return None
    return float(calibrators[0].a_), float(calibrators[0].b_)


def expected_losses(scores: Distribution, grid: Grid, a: float, b: float) -> dict[str, float]:
    """Return the accuracy and hinge loss to expect if the probabilities still hold.

    Each margin f is right with the probability that the sigmoid gives to its side; margins stand
    for their bin's middle. A change of the labels themselves does not show in it.
    """
    f = grid.centres
    positive = 1 / (1 + np.exp(np.clip(a * f + b, -700, 700)))
    loss = positive * np.maximum(0, 1 - f) + (1 - positive) * np.maximum(0, 1 + f)
    right = np.where(f > 0, positive, 1 - positive)
    shares = scores.counts / scores.moments.n
    return {"accuracy": float(shares @ right), "hinge_loss": float(shares @ loss)}


def expected_calibration_error(probability: Floats, label: Ints) -> float:
    """Return the mean gap between confidence and accuracy over 10 bins of equal mass.

    Naeini, Cooper & Hauskrecht (2015), on the predicted class.

    Parameters
    ----------
    probability
        Class probabilities, shape (n, k).
    label
        Index of the true class, shape (n,).
    """
    top = probability.max(axis=1)
    right = probability.argmax(axis=1) == label
    gap = 0.0
    for rows in np.array_split(np.argsort(top, kind="stable"), BINS):
        if len(rows):
            gap += abs(float(top[rows].mean() - right[rows].mean())) * len(rows)
    return gap / len(label)

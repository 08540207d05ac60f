"""Weighted sums of the losses of labelled rows, which merge, and the rates that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.finite import NotFinite
from tasks.classifier.margins import error, hinge, violation


@dataclass(frozen=True, kw_only=True)
class MeanLosses:
    """The losses of labelled rows as weighted means, and as how many equal rows they count.

    `margin` is the mean labelled margin, `unsigned_margin` that of its size; see
    `Losses.loss_tail_ratio`.
    """

    accuracy: float
    hinge_loss: float
    violation_rate: float
    error_rate: float
    squared_hinge: float
    margin: float
    unsigned_margin: float
    loss_tail_ratio: float
    effective_rows: float

    @property
    def hinge_variance(self) -> float:
        """Return the variance of a row's hinge loss."""
        return max(self.squared_hinge - self.hinge_loss**2, 0.0)


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Weighted sums over labelled rows; the rates are weighted means, of weights above zero.

    `margin` sums the labelled margins, `unsigned` their sizes; `squared_margin` is None where rows
    were summed before it was kept.
    """

    rows: int = 0
    weight: float = 0.0
    weight_squared: float = 0.0
    margin: float = 0.0
    unsigned: float = 0.0
    hinge: float = 0.0
    squared_hinge: float = 0.0
    violations: float = 0.0
    errors: float = 0.0
    squared_margin: float | None = 0.0

    @classmethod
    def of(cls, margins: Floats, weight: Floats | None = None) -> Losses:
        """Return the sums over labelled margins, shape (n,), with weights of that shape."""
        return cls.by_class(margins, np.zeros(len(margins), np.int64), 1, weight)[0]

    @classmethod
    def by_class(
        cls, margins: Floats, label: Ints, classes: int, weight: Floats | None = None
    ) -> list[Losses]:
        """Return the sums over each class's labelled margins, all arrays of shape (n,)."""
        mine = label == np.arange(classes)[:, np.newaxis]
        w = mine.astype(np.float64) if weight is None else mine * weight
        loss = hinge(margins)
        terms = {
            "margin": margins,
            "unsigned": np.abs(margins),
            "hinge": loss,
            "squared_hinge": loss * loss,
            "violations": violation(margins),
            "errors": error(margins),
            "squared_margin": margins * margins,
        }
        # One product sums every class: picking its rows out first would take longer.
        with np.errstate(over="ignore", invalid="ignore"):  # sums that are none are named
            sums = w @ np.stack(list(terms.values())).T
            rows, weights, squares = mine.sum(axis=1), w.sum(axis=1), np.einsum("ij,ij->i", w, w)
        return [
            cls(
                rows=int(rows[c]),
                weight=float(weights[c]),
                weight_squared=float(squares[c]),
                **dict(zip(terms, sums[c].tolist(), strict=True)),
            )
            for c in range(classes)
        ]

    def merge(self, other: Losses) -> Losses:
        mine, theirs = vars(self), vars(other)
        both: dict[str, Any] = {
            name: None if value is None or theirs[name] is None else value + theirs[name]
            for name, value in mine.items()
        }
        return Losses(**both)

    @property
    def effective_rows(self) -> float:
        """Return how many equally weighted rows tell as much (Kish, 1965)."""
        return self.weight * (self.weight / self.weight_squared) if self.weight_squared else 0.0

    @property
    def hinge_loss(self) -> float:
        return self.hinge / self.weight

    @property
    def hinge_variance(self) -> float:
        return max(self.squared_hinge / self.weight - self.hinge_loss**2, 0.0)

    @property
    def mean_margin(self) -> float:
        return self.margin / self.weight

    @property
    def margin_variance(self) -> float | None:
        if self.squared_margin is None:
            return None
        return max(self.squared_margin / self.weight - self.mean_margin**2, 0.0)

    @property
    def violation_rate(self) -> float:
        return self.violations / self.weight

    @property
    def error_rate(self) -> float:
        return self.errors / self.weight

    @property
    def loss_tail_ratio(self) -> float:
        """Return the root mean square of the hinge loss over its mean.

        1 if all rows lose the same; sqrt(n) if one of n rows has all of the loss.
        """
        mean = self.hinge_loss
        return sqrt(self.squared_hinge / self.weight) / mean if mean else 1.0

    @property
    def rates(self) -> dict[str, float]:
        """Return the figures that people read; the weights must not sum to zero."""
        return {
            "accuracy": 1 - self.error_rate,
            "hinge_loss": self.hinge_loss,
            "violation_rate": self.violation_rate,
        }

    @property
    def means(self) -> MeanLosses:
        """Return all that is known of the losses; the weights must not sum to zero."""
        return MeanLosses(
            **self.rates,
            error_rate=self.error_rate,
            squared_hinge=self.squared_hinge / self.weight,
            margin=self.mean_margin,
            unsigned_margin=self.unsigned / self.weight,
            loss_tail_ratio=self.loss_tail_ratio,
            effective_rows=self.effective_rows,
        )


def need_finite_sums(parts: Sequence[Losses]) -> None:
    """Raise NotFinite if a sum is beyond all numbers."""
    sums = (value for losses in parts for value in vars(losses).values() if value is not None)
    if not all(map(isfinite, sums)):
        raise NotFinite(
            "the sums of squared losses or sample weights are no finite numbers; check the model's "
            "input and source.weight, and bound them with an expectation"
        )

"""How often what a model called probable happened: a mergeable table of sums, no row. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints

TABLE_BINS = 20  # an even number, so that no bin holds both sides of one half


def _zeros() -> Floats:
    return np.zeros(TABLE_BINS)


@dataclass(frozen=True)
class ClassSums:
    """Weighted sums over all labelled rows: a class's probability p, whether it is y, (p - y)²."""

    probability: float
    happened: float
    squared: float

    def merge(self, other: ClassSums) -> ClassSums:
        return ClassSums(
            self.probability + other.probability,
            self.happened + other.happened,
            self.squared + other.squared,
        )


@dataclass(frozen=True, kw_only=True)
class ReliabilityTable:
    """Weighted sums over labelled rows in equal bins of the probability p, each of shape (20,).

    Of two classes p is the positive one's probability and y whether the row has it; of more
    (`top`), p is the largest probability and y whether it was right. `squared` sums (p - y)².
    `classes` has the sums of each class by name, of more than two; empty where they are not known.
    """

    rows: Floats = field(default_factory=_zeros)
    weight: Floats = field(default_factory=_zeros)
    probability: Floats = field(default_factory=_zeros)
    happened: Floats = field(default_factory=_zeros)
    squared: Floats = field(default_factory=_zeros)
    weight_squared: float = 0.0
    top: bool = False
    classes: Mapping[str, ClassSums] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        probability: Floats,
        label: Ints,
        weight: Floats | None = None,
        classes: Sequence[str] = (),
    ) -> ReliabilityTable:
        """Return the table of class probabilities, shape (n, k), labels and weights, (n,).

        `classes` are the k names, in index order.
        """
        top = probability.shape[1] > 2
        p = probability.max(axis=1) if top else probability[:, 1]
        y = (probability.argmax(axis=1) == label) if top else label == 1
        place = np.minimum((p * TABLE_BINS).astype(np.intp), TABLE_BINS - 1)

        def total(values: Any = None) -> Floats:
            return np.asarray(np.bincount(place, weights=values, minlength=TABLE_BINS), np.float64)

        def weighed(values: Any) -> Floats:
            return total(values if weight is None else weight * values)

        return cls(
            rows=total(),
            weight=total(weight),
            probability=weighed(p),
            happened=weighed(y),
            squared=weighed((p - y) ** 2),
            weight_squared=float(len(p) if weight is None else weight @ weight),
            top=top,
            classes=_by_class(probability, label, weight, classes) if top else {},
        )

    def merge(self, other: ReliabilityTable) -> ReliabilityTable:
        return ReliabilityTable(
            rows=self.rows + other.rows,
            weight=self.weight + other.weight,
            probability=self.probability + other.probability,
            happened=self.happened + other.happened,
            squared=self.squared + other.squared,
            weight_squared=self.weight_squared + other.weight_squared,
            top=self.top or other.top,
            classes=self._classes_with(other),
        )

    def _classes_with(self, other: ReliabilityTable) -> Mapping[str, ClassSums]:
        if not self.rows.any():
            return other.classes
        if not other.rows.any():
            return self.classes
        # A class that one side does not know is left out: sums must be over all rows.
        both = (name for name in self.classes if name in other.classes)
        return {name: self.classes[name].merge(other.classes[name]) for name in both}

    @property
    def effective_rows(self) -> float:
        """Return how many equally weighted rows tell as much (Kish, 1965)."""
        return float(self.weight.sum()) ** 2 / self.weight_squared if self.weight_squared else 0.0

    @property
    def brier(self) -> float:
        """Return the mean of (p - y)² (Brier, 1950); of more than two classes, the top one's."""
        return float(self.squared.sum() / self.weight.sum())

    @property
    def calibration_error(self) -> float:
        """Return the mean distance between p and frequency over the bins (Naeini et al., 2015).

        It is never below the size of `overconfidence` or `bias`, and chance alone makes it larger.
        """
        return float(np.abs(self.probability - self.happened).sum() / self.weight.sum())

    @property
    def overconfidence(self) -> float:
        """Return the mean confidence in the likelier side less the share in which it was right."""
        side = np.where(self.top | (np.arange(TABLE_BINS) >= TABLE_BINS / 2), 1.0, -1.0)
        return float(side @ (self.probability - self.happened) / self.weight.sum())

    @property
    def bias(self) -> float:
        """Return the mean p less the frequency: how far the positive class is overstated."""
        return float((self.probability - self.happened).sum() / self.weight.sum())

    def rows_of(self, name: str) -> float:
        """Return how many of the effective rows are of a class."""
        return self.classes[name].happened * (float(self.weight.sum()) / self.weight_squared)

    def bias_of(self, name: str) -> float:
        """Return a class's mean probability less its frequency."""
        sums = self.classes[name]
        return (sums.probability - sums.happened) / float(self.weight.sum())

    def deviation_of(self, name: str) -> float:
        """Return the standard deviation of a class's p - y over the rows."""
        mean = self.classes[name].squared / float(self.weight.sum())
        return sqrt(max(mean - self.bias_of(name) ** 2, 0.0))


def _by_class(
    probability: Floats, label: Ints, weight: Floats | None, classes: Sequence[str]
) -> dict[str, ClassSums]:
    if not len(label) or not classes:
        return {}
    happened = label[:, np.newaxis] == np.arange(len(classes))
    w = np.ones(len(label)) if weight is None else weight
    sums = (w @ probability, w @ happened, w @ (probability - happened) ** 2)
    each = zip(*(values.tolist() for values in sums), strict=True)
    return {name: ClassSums(*found) for name, found in zip(classes, each, strict=True)}


def reliability_to_json(table: ReliabilityTable) -> dict[str, Any]:
    """Return the table as JSON-ready values; filled bins only."""
    filled = np.flatnonzero(table.rows)
    sums = {name: getattr(table, name)[filled].tolist() for name in _SUMS}
    return {
        "bins": filled.tolist(),
        **sums,
        "weight_squared": table.weight_squared,
        "top": table.top,
        "classes": {name: vars(sums) for name, sums in table.classes.items()},
    }


def reliability_from_json(raw: Mapping[str, Any]) -> ReliabilityTable:
    """Return the table that `reliability_to_json` wrote."""
    sums = {name: _zeros() for name in _SUMS}
    for name, values in sums.items():
        values[raw["bins"]] = raw[name]
    # Those from before classes were kept have none.
    classes = {name: ClassSums(**kept) for name, kept in raw.get("classes", {}).items()}
    return ReliabilityTable(
        **sums, weight_squared=raw["weight_squared"], top=raw["top"], classes=classes
    )


_SUMS = ("rows", "weight", "probability", "happened", "squared")

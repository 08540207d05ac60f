"""The mergeable summary of a window for one model version: sums, moments, histograms; no row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import sqrt
from typing import Any

import numpy as np

from tasks import reliability_table
from tasks.margins import Floats, Ints, confidence, error, hinge, labelled, margin, violation
from tasks.reliability_table import ReliabilityTable


class NotFinite(ValueError):
    """Decision values that are no numbers: too large an input, or a broken log of margins."""


@dataclass(frozen=True)
class Grid:
    """Equal bins on [low, high), with one more below and one above."""

    low: float
    high: float
    bins: int = 2048

    @classmethod
    def around(cls, values: Floats) -> Grid:
        """Return a grid some three times as wide as the values' own range, and around it."""
        low, high = float(values.min()), float(values.max())
        span = max(high - low, 1e-9 * max(abs(low), abs(high), 1.0))
        # Rounded outward: the exact extremes are single rows' values.
        step = 10 ** np.floor(np.log10(span))
        return cls(
            float(np.floor((low - span) / step) * step), float(np.ceil((high + span) / step) * step)
        )

    def count(self, values: Floats) -> Ints:
        """Return the counts, shape (bins + 2,): below, each bin, above."""
        index = (values - self.low) * (self.bins / (self.high - self.low)) + 1
        np.clip(index, 0, self.bins + 1, out=index)
        return np.bincount(index.astype(np.intp), minlength=self.bins + 2)

    @property
    def centres(self) -> Floats:
        """Return a value for each bin, shape (bins + 2,): its middle, or the grid's end."""
        width = (self.high - self.low) / self.bins
        inner = self.low + width * (np.arange(self.bins) + 0.5)
        return np.concatenate([[self.low], inner, [self.high]])


_KEPT = 1e-4  # of the squares: at most four of sixteen digits are lost
_LARGEST = 1e140  # so that squares can be summed


@dataclass(frozen=True)
class Moments:
    """Count, mean and centred sum of squares of one column; no extremes: those are rows' values."""

    n: int
    mean: float
    m2: float

    @classmethod
    def of(cls, values: Floats) -> Moments:
        if not len(values):
            return NOTHING
        with np.errstate(over="ignore"):
            total, squares = float(values.sum()), float(values @ values)
        mean = total / len(values)
        m2 = squares - total * mean
        if not m2 > _KEPT * squares:  # too few digits are left of the difference: centre first
            off = values - mean
            m2 = float(off @ off)
        return cls(len(values), mean, m2)

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both together (Chan, Golub & LeVeque, 1983)."""
        if not (self.n and other.n):
            return self if self.n else other
        n = self.n + other.n
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.n / n)
        m2 = self.m2 + other.m2 + gap * gap * (self.n * other.n / n)
        return Moments(n, mean, m2)

    @property
    def variance(self) -> float:
        return self.m2 / (self.n - 1) if self.n > 1 else 0.0

    @property
    def constant(self) -> bool:
        """Return whether all values are equal, to nine digits."""
        return self.n > 0 and self.m2 <= self.n * (1e-9 * self.mean) ** 2


NOTHING = Moments(0, 0.0, 0.0)


@dataclass(frozen=True)
class Distribution:
    """Margins of one kind: their histogram on the version's grid and their moments."""

    counts: Ints
    moments: Moments

    def merge(self, other: Distribution) -> Distribution:
        return Distribution(self.counts + other.counts, self.moments.merge(other.moments))


@dataclass(frozen=True)
class Losses:
    """Weighted sums over labelled rows; the rates are weighted means.

    `margin` sums the labelled margins, `unsigned` their sizes.
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
        terms = (margins, np.abs(margins), loss, loss * loss, violation(margins), error(margins))
        # One product sums every class: picking its rows out first would take longer.
        sums = w @ np.stack(terms).T
        rows, weights, squares = mine.sum(axis=1), w.sum(axis=1), np.einsum("ij,ij->i", w, w)
        return [
            cls(int(rows[c]), float(weights[c]), float(squares[c]), *sums[c].tolist())
            for c in range(classes)
        ]

    def merge(self, other: Losses) -> Losses:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Losses(*(a + b for a, b in pairs))

    @property
    def effective_rows(self) -> float:
        """Return how many equally weighted rows tell as much (Kish, 1965)."""
        return self.weight**2 / self.weight_squared if self.weight_squared else 0.0

    @property
    def hinge_loss(self) -> float:
        return self.hinge / self.weight

    @property
    def hinge_variance(self) -> float:
        return max(self.squared_hinge / self.weight - self.hinge_loss**2, 0.0)

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
    def details(self) -> dict[str, float]:
        """Return all that is known of the losses; the weights must not sum to zero."""
        return {
            **self.rates,
            "error_rate": self.error_rate,
            "squared_hinge": self.squared_hinge / self.weight,
            "margin": self.margin / self.weight,
            "unsigned_margin": self.unsigned / self.weight,
            "loss_tail_ratio": self.loss_tail_ratio,
        }


@dataclass(frozen=True)
class Summary:
    """Everything kept of a window.

    `scores` are margins without labels, of all rows; `margins` are those of the labelled rows;
    `inside` counts rows with |score| < 1. `contributions` sums each feature's share of the scores
    over all rows, `class_contributions` its share of the labelled margins over each class's rows.
    `reliability` holds the calibrated probabilities of the labelled rows against their labels.
    """

    grid: Grid
    scores: Distribution
    margins: Distribution
    inside: int
    losses: Losses
    classes: Mapping[str, Losses] = field(default_factory=dict)
    features: Mapping[str, Moments] = field(default_factory=dict)
    contributions: Mapping[str, float] = field(default_factory=dict)
    class_contributions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    reliability: ReliabilityTable = field(default_factory=ReliabilityTable)

    @property
    def rows(self) -> int:
        return self.scores.moments.n

    @property
    def labelled(self) -> int:
        return self.losses.rows


def summarise(
    grid: Grid,
    decision: Floats,
    label: Ints,
    classes: tuple[str, ...],
    features: Mapping[str, Floats],
    *,
    weight: Floats | None = None,
    contributions: Mapping[str, float] | None = None,
    class_contributions: Mapping[str, Mapping[str, float]] | None = None,
    reliability: ReliabilityTable | None = None,
) -> Summary:
    """Return the summary of one batch.

    Parameters
    ----------
    decision
        Decision values, shape (n,) or (n, k).
    label
        Index of the true class, shape (n,); -1 where it is not known.
    classes
        Names of the classes, in index order.
    features
        Numeric feature columns, each of shape (n,).
    weight
        Sample weights of the losses, shape (n,), none negative; distributions count rows.
    contributions, class_contributions, reliability
        As in Summary, from `attribution` and `ReliabilityTable.of`.

    Raises
    ------
    NotFinite
        If a decision value is not finite, or so large that sums of squares would not be.
    """
    bad = decision.size - np.count_nonzero(np.abs(decision) < _LARGEST)
    if bad:
        raise NotFinite(
            f"{bad:,} decision value(s) are not finite, or beyond {_LARGEST:g}; check the model's "
            "input"
        )
    scores = confidence(decision)
    known = labelled(label)
    margins = margin(decision[known], label[known])
    weights = None if weight is None else weight[known]
    losses = Losses.by_class(margins, label[known], len(classes), weights)
    return Summary(
        grid=grid,
        scores=Distribution(grid.count(scores), Moments.of(scores)),
        margins=Distribution(grid.count(margins), Moments.of(margins)),
        inside=int(np.count_nonzero(np.abs(scores) < 1)),
        losses=reduce(Losses.merge, losses),
        classes=dict(zip(classes, losses, strict=True)),
        features={name: Moments.of(values) for name, values in features.items()},
        contributions=contributions or {},
        class_contributions=class_contributions or {},
        reliability=reliability or ReliabilityTable(),
    )


def merge(left: Summary, right: Summary) -> Summary:
    """Return the summary of both windows together. Raises ValueError if their grids differ."""
    if left.grid != right.grid:
        raise ValueError("summaries on different grids cannot be merged")
    return Summary(
        grid=left.grid,
        scores=left.scores.merge(right.scores),
        margins=left.margins.merge(right.margins),
        inside=left.inside + right.inside,
        losses=left.losses.merge(right.losses),
        classes=_merge_by_name(left.classes, right.classes, Losses()),
        features=_merge_by_name(left.features, right.features, NOTHING),
        contributions=_add(left.contributions, right.contributions),
        class_contributions=_add_by_class(left.class_contributions, right.class_contributions),
        reliability=left.reliability.merge(right.reliability),
    )


def merge_all(summaries: list[Summary]) -> Summary:
    """Return the summary of all windows together; at least one is needed."""
    return reduce(merge, summaries)


def _merge_by_name(left: Mapping[str, Any], right: Mapping[str, Any], empty: Any) -> dict[str, Any]:
    names = dict.fromkeys([*left, *right])
    return {name: left.get(name, empty).merge(right.get(name, empty)) for name in names}


def _add(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    return {n: left.get(n, 0.0) + right.get(n, 0.0) for n in dict.fromkeys([*left, *right])}


def _add_by_class(
    left: Mapping[str, Mapping[str, float]], right: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {n: _add(left.get(n, {}), right.get(n, {})) for n in dict.fromkeys([*left, *right])}


def to_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as JSON-ready values; histograms hold their filled bins only."""
    return {
        "grid": vars(summary.grid),
        "scores": _distribution_to_json(summary.scores),
        "margins": _distribution_to_json(summary.margins),
        "inside": summary.inside,
        "losses": vars(summary.losses),
        "classes": {name: vars(losses) for name, losses in summary.classes.items()},
        "features": {name: vars(moments) for name, moments in summary.features.items()},
        "contributions": dict(summary.contributions),
        "class_contributions": {n: dict(c) for n, c in summary.class_contributions.items()},
        "reliability": reliability_table.to_json(summary.reliability),
    }


def from_json(raw: Mapping[str, Any]) -> Summary:
    """Return the summary that `to_json` wrote."""
    grid = Grid(**raw["grid"])
    return Summary(
        grid=grid,
        scores=_distribution_from_json(raw["scores"], grid),
        margins=_distribution_from_json(raw["margins"], grid),
        inside=raw["inside"],
        losses=Losses(**raw["losses"]),
        classes={name: Losses(**losses) for name, losses in raw["classes"].items()},
        features={name: Moments(**moments) for name, moments in raw["features"].items()},
        contributions=raw["contributions"],
        class_contributions=raw["class_contributions"],
        reliability=reliability_table.from_json(raw["reliability"]),
    )


def _distribution_to_json(distribution: Distribution) -> dict[str, Any]:
    filled = np.flatnonzero(distribution.counts)
    return {
        "bins": filled.tolist(),
        "counts": distribution.counts[filled].tolist(),
        "moments": vars(distribution.moments),
    }


def _distribution_from_json(raw: Mapping[str, Any], grid: Grid) -> Distribution:
    counts = np.zeros(grid.bins + 2, dtype=np.int64)
    counts[raw["bins"]] = raw["counts"]
    return Distribution(counts, Moments(**raw["moments"]))

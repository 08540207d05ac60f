"""The mergeable summary of a window for one model version: sums, moments, histograms; no row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import isfinite, sqrt
from typing import Any

import numpy as np

from tasks import formats
from tasks.arrays import Floats, Ints
from tasks.classifier.finite import NotFinite, need_finite
from tasks.classifier.margins import confidence, error, hinge, labelled, margin, violation
from tasks.drift import reliability_table
from tasks.drift.grid import Bins, Grid
from tasks.drift.moments import NOTHING, Moments
from tasks.drift.reliability_table import ReliabilityTable

SUMMARY_FORMAT = 2  # of the JSON; 1 had equal bins and squares instead of roots
OLDER = "run the window again, and retrain a model whose reference is of another format"
_EXACT = 2**53  # whole numbers below are exact


@dataclass(frozen=True)
class Distribution:
    """Margins of one kind: counts and sums of positions in the version's bins, and moments."""

    counts: Ints
    sums: Floats
    moments: Moments

    @classmethod
    def of(cls, bins: Bins, values: Floats) -> Distribution:
        """Return the distribution of finite values, shape (n,)."""
        return cls(*bins.count(values), Moments.of(values))

    def merge(self, other: Distribution) -> Distribution:
        return Distribution(
            self.counts + other.counts, self.sums + other.sums, self.moments.merge(other.moments)
        )


@dataclass(frozen=True)
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
        terms = (
            *(margins, np.abs(margins), loss, loss * loss),
            *(violation(margins), error(margins), margins * margins),
        )
        # One product sums every class: picking its rows out first would take longer.
        with np.errstate(over="ignore", invalid="ignore"):  # sums that are none are named
            sums = w @ np.stack(terms).T
            rows, weights, squares = mine.sum(axis=1), w.sum(axis=1), np.einsum("ij,ij->i", w, w)
        return [
            cls(int(rows[c]), float(weights[c]), float(squares[c]), *sums[c].tolist())
            for c in range(classes)
        ]

    def merge(self, other: Losses) -> Losses:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        sums: list[Any] = [None if a is None or b is None else a + b for a, b in pairs]
        return Losses(*sums)

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
    def details(self) -> dict[str, float]:
        """Return all that is known of the losses; the weights must not sum to zero."""
        return {
            **self.rates,
            "error_rate": self.error_rate,
            "squared_hinge": self.squared_hinge / self.weight,
            "margin": self.mean_margin,
            "unsigned_margin": self.unsigned / self.weight,
            "loss_tail_ratio": self.loss_tail_ratio,
        }


@dataclass(frozen=True)
class Summary:
    """Everything kept of a window.

    `scores` are margins without labels, of all rows; `margins` are those of the labelled rows;
    `inside` counts rows with |score| < 1. `contributions` sums each feature's share of the scores
    over all rows, `class_contributions` its share of the labelled margins over each class's rows.
    `capped` counts the rows in which the model caps a feature, where there are any.
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
    capped: Mapping[str, float] = field(default_factory=dict)

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
    need_finite(decision)
    scores = confidence(decision)
    known = labelled(label)
    margins = margin(decision[known], label[known])
    weights = None if weight is None else weight[known]
    losses = Losses.by_class(margins, label[known], len(classes), weights)
    _need_finite_sums(losses)
    return Summary(
        grid=grid,
        scores=Distribution.of(grid.scores, scores),
        margins=Distribution.of(grid.margins, margins),
        inside=int(np.count_nonzero(np.abs(scores) < 1)),
        losses=reduce(Losses.merge, losses),
        classes=dict(zip(classes, losses, strict=True)),
        features={name: Moments.of(values) for name, values in features.items()},
        contributions=contributions or {},
        class_contributions=class_contributions or {},
        reliability=reliability or ReliabilityTable(),
    )


def _need_finite_sums(parts: Sequence[Losses]) -> None:
    sums = (value for losses in parts for value in vars(losses).values() if value is not None)
    if not all(map(isfinite, sums)):
        raise NotFinite(
            "the sums of squared losses or sample weights are no finite numbers; check the model's "
            "input and source.weight, and bound them with an expectation"
        )


def merge(left: Summary, right: Summary) -> Summary:
    """Return the summary of both windows together.

    Raises ValueError if their grids differ, NotFinite if sums are beyond all numbers.
    """
    if left.grid != right.grid:
        raise ValueError("summaries on different grids cannot be merged")
    losses = left.losses.merge(right.losses)
    _need_finite_sums([losses])
    return Summary(
        grid=left.grid,
        scores=left.scores.merge(right.scores),
        margins=left.margins.merge(right.margins),
        inside=left.inside + right.inside,
        losses=losses,
        classes=_merge_by_name(left.classes, right.classes, Losses()),
        features=_merge_by_name(left.features, right.features, NOTHING),
        contributions=_add(left.contributions, right.contributions),
        class_contributions=_add_by_class(left.class_contributions, right.class_contributions),
        reliability=left.reliability.merge(right.reliability),
        capped=_add(left.capped, right.capped),
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
    grid = summary.grid
    return {
        "format": SUMMARY_FORMAT,
        "grid": {"scores": _bins_to_json(grid.scores), "margins": _bins_to_json(grid.margins)},
        "scores": _distribution_to_json(summary.scores, grid.scores),
        "margins": _distribution_to_json(summary.margins, grid.margins),
        "inside": summary.inside,
        "losses": vars(summary.losses),
        "classes": {name: vars(losses) for name, losses in summary.classes.items()},
        "features": {name: vars(moments) for name, moments in summary.features.items()},
        "contributions": dict(summary.contributions),
        "class_contributions": {n: dict(c) for n, c in summary.class_contributions.items()},
        "reliability": reliability_table.to_json(summary.reliability),
        "capped": dict(summary.capped),
    }


def from_json(raw: Mapping[str, Any], what: str = "summary") -> Summary:
    """Return the summary that `to_json` wrote. Raises formats.OtherFormat, which names `what`."""
    return formats.load(what, raw, {SUMMARY_FORMAT: _read}, OLDER)


def _read(raw: Mapping[str, Any]) -> Summary:
    kinds = (_bins_from_json(raw["grid"][kind]) for kind in ("scores", "margins"))
    grid = Grid(*kinds)
    return Summary(
        grid=grid,
        scores=_distribution_from_json(raw["scores"], grid.scores),
        margins=_distribution_from_json(raw["margins"], grid.margins),
        inside=raw["inside"],
        losses=_losses_from_json(raw["losses"]),
        classes={name: _losses_from_json(losses) for name, losses in raw["classes"].items()},
        features={name: Moments(**moments) for name, moments in raw["features"].items()},
        contributions=raw["contributions"],
        class_contributions=raw["class_contributions"],
        reliability=reliability_table.from_json(raw["reliability"]),
        capped=raw.get("capped", {}),  # those from before there was a cap have none
    )


def _losses_from_json(raw: Mapping[str, Any]) -> Losses:
    # Of no row every sum is known.
    return Losses(**{"squared_margin": None if raw["rows"] else 0.0, **raw})


def _bins_to_json(bins: Bins) -> dict[str, Any]:
    return {"edges": list(bins.edges), "centre": bins.centre, "unit": bins.unit}


def _bins_from_json(raw: Mapping[str, Any]) -> Bins:
    return Bins(tuple(raw["edges"]), raw["centre"], raw["unit"])


def _distribution_to_json(distribution: Distribution, bins: Bins) -> dict[str, Any]:
    """Return filled bins only: by how many each is behind the one before, counts, and sums.

    The sums count from where each bin begins, which takes fewer digits.
    """
    filled = np.flatnonzero(distribution.counts)
    counts = distribution.counts[filled]
    sums = distribution.sums[filled] - counts * bins.lefts[filled]
    return {
        "steps": np.diff(filled, prepend=0).tolist(),
        "counts": counts.tolist(),
        "sums": [int(s) if abs(s) < _EXACT else s for s in sums.tolist()],
        "moments": vars(distribution.moments),
    }


def _distribution_from_json(raw: Mapping[str, Any], bins: Bins) -> Distribution:
    filled = np.cumsum(np.array(raw["steps"], dtype=np.int64))
    counts, sums = np.zeros(len(bins), dtype=np.int64), np.zeros(len(bins))
    counts[filled] = raw["counts"]
    sums[filled] = np.array(raw["sums"], dtype=np.float64) + counts[filled] * bins.lefts[filled]
    return Distribution(counts, sums, Moments(**raw["moments"]))

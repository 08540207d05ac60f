"""The mergeable summary of a window for one model version: sums, moments, histograms; no row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.finite import need_finite
from tasks.classifier.margins import confidence, labelled, margin
from tasks.drift.grid import Bins, Grid
from tasks.drift.loss_sums import Losses, need_finite_sums
from tasks.drift.moments import NOTHING, Moments
from tasks.drift.reliability_table import ReliabilityTable


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
    need_finite_sums(losses)
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


def merge(left: Summary, right: Summary) -> Summary:
    """Return the summary of both windows together.

    Raises ValueError if their grids differ, NotFinite if sums are beyond all numbers.
    """
    if left.grid != right.grid:
        raise ValueError("summaries on different grids cannot be merged")
    losses = left.losses.merge(right.losses)
    need_finite_sums([losses])
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

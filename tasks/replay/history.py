"""A model's past rows in memory, cut into its windows: what a replay plays over."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Floats, Ints
from tasks.classifier.finite import wild
from tasks.classifier.margins import error, hinge, margin, violation
from tasks.classifier.training_rows import Facts, TrainingRows
from tasks.spec.windows import Window, stamp

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class History:
    """Accepted rows, ordered by time; window i holds the rows `edges[i]` to `edges[i + 1]`.

    `problems` says of each window why the monitor would not measure it, or None. `times` are
    microseconds since 1970, UTC; `label` is -1 where it is not known; `weight` are the rows' sample
    weights, None if all are equal; `columns` those that `gates.slices.over` names. `remarks` name
    rows that lie in no window, `quarantined` rows of bad content that were left out.
    """

    windows: tuple[Window, ...]
    problems: tuple[str | None, ...]
    edges: Ints
    times: Ints
    frame: pd.DataFrame
    label: Ints
    weight: Floats | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()

    def training_rows(self, places: Ints) -> TrainingRows:
        """Return labelled rows to train on; their keys are not kept."""
        return TrainingRows(
            frame=self.frame.iloc[places].reset_index(drop=True),
            label=self.label[places],
            weight=None if self.weight is None else self.weight[places],
            facts=Facts(self.times, None, self.columns).at(places),
        )

    def rows(self, index: int) -> slice:
        """Return the rows of a window."""
        return slice(int(self.edges[index]), int(self.edges[index + 1]))

    def first_at(self, moment: datetime) -> int:
        """Return the index of the first window that starts at or after the moment."""
        return bisect_left(self.windows, moment, key=lambda w: w.start)

    def labelled(self, start: datetime, end: datetime, delay: timedelta) -> Ints:
        """Return the places of the rows of `[start, end)` whose label is known at `end`.

        That is so for windows which ended at least `delay` earlier.
        """
        ended = bisect_right(self.windows, end - delay, key=lambda w: w.end)
        known = self.windows[ended - 1].end if ended else self.windows[0].start
        first, last = np.searchsorted(self.times, [stamp(start), stamp(min(end, known))])
        return np.arange(first, last)[self.label[first:last] >= 0]

    def rates(self, decision: Floats, first: int) -> Floats:
        """Return accuracy, hinge loss and violation rate of each window from `first` on, weighted.

        Parameters
        ----------
        decision
            Decision values of all rows from the window `first` on, shape (n,) or (n, k).

        Returns
        -------
        Shape (3, windows); NaN where no label is known. Rows without a finite decision value do
        not count.
        """
        edges = self.edges[first:] - self.edges[first]
        rows = slice(int(self.edges[first]), int(self.edges[-1]))
        label = self.label[rows]
        counted = (label >= 0) & ~wild(decision)
        weight = counted * (1.0 if self.weight is None else self.weight[rows])
        # Where the label is -1 the margin is of any class: not counted.
        with np.errstate(invalid="ignore"):
            margins = np.where(counted, margin(decision, label), 0.0)
        losses = np.stack([~error(margins), hinge(margins), violation(margins)])
        # Window by window: in a running sum one huge loss would leave no digits to later windows.
        means: Floats = np.full((3, len(edges) - 1), np.nan)
        for index, (first, last) in enumerate(pairwise(edges.tolist())):
            mine = weight[first:last]
            if (total := mine.sum()) > 0:
                means[:, index] = losses[:, first:last] @ (mine / total)
        return means

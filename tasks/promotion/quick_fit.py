"""A quick fit on the newest labelled rows, beside the champion on newer ones that neither saw.

It is no gate: whoever would wait for a retrain in vain learns so beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import scoring, training
from tasks.classifier.finite import need_finite
from tasks.classifier.margins import error, margin
from tasks.data.frame import feature_frame
from tasks.gates.bootstrap import Blocks
from tasks.promotion.outlook import Estimate
from tasks.spec.gate_options import Gate
from tasks.spec.model import ModelSpec
from tasks.spec.windows import stamp

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_ROWS = 20_000  # rows that fit, and rows that are held out: the newest
FEWEST_JUDGED = 100  # rows of the new time to fit on; with fewer, those before it fit too


def estimate(
    spec: ModelSpec,
    decide: Callable[[pd.DataFrame], Floats],
    frame: pd.DataFrame,
    label: Ints,
    times: Ints,
    held: int,
    changes: Sequence[datetime],
) -> Estimate:
    """Fit quickly on what lies before the place `held`, and compare from there on.

    Gains are those of what the fit aims at: with balanced weights each class counts alike.

    Parameters
    ----------
    decide
        Returns the champion's decision values of rows, shape (n,) or (n, k).
    frame, label, times
        The newest labelled rows, oldest first; times in microseconds since 1970.
    changes
        As `remembered.changes` returns them.

    Raises
    ------
    tasks.classifier.training.TrainingError
        If nothing can be fit.
    tasks.classifier.finite.NotFinite
        If a decision value is no finite number.
    """
    held = max(held, len(label) - MOST_ROWS)
    first = int(np.searchsorted(times[:held], stamp(changes[-1]))) if changes else 0
    if held - first < FEWEST_JUDGED or len(np.unique(label[first:held])) < 2:
        first = 0
    first = max(first, held - MOST_ROWS)
    fitted = training.fit(spec, frame[first:held], label[first:held])
    rows, truth = frame[held:], label[held:]
    balanced = spec.training.weighting == "balanced"
    weight = _alike(truth) if balanced else np.ones(len(truth))
    theirs = weight * _right(decide(rows), truth)
    ours = weight * _right(scoring.decision_values(fitted, rows), truth)
    gain = ours - theirs
    low, high = Blocks.for_series(gain, spec.training.seed).interval(gain, _confidence(spec))
    return Estimate(
        measure="balanced accuracy" if balanced else "accuracy",
        champion=float(theirs.mean()),
        fitted=float(ours.mean()),
        low=low,
        high=high,
        rows=held - first,
        held_out=len(truth),
        since=datetime.fromtimestamp(int(times[first]) / 1e6, UTC),
    )


def _right(decision: Floats, truth: Ints) -> Floats:
    need_finite(decision)
    return (~error(margin(decision, truth))).astype(np.float64)


def _alike(truth: Ints) -> Floats:
    """Return weights, of mean 1, under which each class that is there counts as much."""
    _, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    return np.asarray(len(truth) / len(counts) / counts[place])


def _confidence(spec: ModelSpec) -> float:
    default = Gate.model_fields["confidence"].default
    return max((gate.confidence for _, gate in spec.gates.declared()), default=default)


class Newest:
    """The newest labelled rows of many, kept in passing: of all others nothing is held."""

    def __init__(self, spec: ModelSpec) -> None:
        features = spec.features
        self._spec = spec
        self._columns = [*features.numeric, *features.categorical, *features.text]
        self._tables: list[pa.Table] = []
        self._labels: list[Ints] = []
        self._times: list[Ints] = []
        self._error: Exception | None = None

    def add(self, batch: pa.RecordBatch, label: Ints, time: Ints) -> None:
        """Take in a batch with its labels, -1 where there is none, and times, shape (n,) each."""
        if self._error is not None:
            return
        try:
            self._add(batch, label, time)
        except Exception as error:  # `rows` raises it, where it stops nobody
            self._error = error
            self._tables.clear()

    def _add(self, batch: pa.RecordBatch, label: Ints, time: Ints) -> None:
        import pyarrow as pa

        known = label >= 0
        mine = pa.Table.from_batches([batch.select(self._columns)])
        self._tables.append(mine.filter(pa.array(known)))
        self._labels.append(label[known])
        self._times.append(time[known])
        if sum(map(len, self._labels)) > 4 * MOST_ROWS:
            self._keep()

    def _keep(self) -> None:
        import pyarrow as pa

        times, labels = np.concatenate(self._times), np.concatenate(self._labels)
        order = np.argsort(times, kind="stable")[-2 * MOST_ROWS :]
        # A column that some files have in another type is still one column.
        table = pa.concat_tables(self._tables, promote_options="permissive").take(pa.array(order))
        self._tables, self._labels, self._times = [table], [labels[order]], [times[order]]

    def rows(self) -> tuple[pd.DataFrame, Ints, Ints]:
        """Return features, labels and times of the newest rows, oldest first.

        Raises
        ------
        Exception
            Whatever went wrong in passing.
        """
        if self._error is not None:
            raise self._error
        self._keep()
        batch = self._tables[0].combine_chunks().to_batches()[0]
        return feature_frame(self._spec, batch), self._labels[0], self._times[0]

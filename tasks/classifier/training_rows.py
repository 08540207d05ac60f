"""All labelled rows of a training window in memory: what a model learns from and is judged on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Floats, Ints
from tasks.classifier.training import TrainingError
from tasks.data import memory
from tasks.data.frame import class_indices, feature_frame, sample_weights
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Facts:
    """What is known of rows beside their features: no model sees it, gates do.

    `time` is microseconds since 1970, UTC, shape (n,); `key` names rows, shape (n,), None if not
    known; `columns` are those that `gates.slices.over` names, each of shape (n,).
    """

    time: Ints
    key: NDArray[Any] | None
    columns: Mapping[str, NDArray[Any]]

    def at(self, rows: Any) -> Facts:
        """Return the facts of some rows: a slice, a mask, or places."""
        key = None if self.key is None else self.key[rows]
        return Facts(self.time[rows], key, {n: values[rows] for n, values in self.columns.items()})


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """Labelled rows, oldest first: features, index of the class, sample weight, and facts.

    `label` has the shape (n,), as has `weight`, which is None if all rows weigh the same. `logged`
    is the champion's decision value of each row, where production logged it and the one in `frame`
    is the candidate's; else None.
    """

    frame: pd.DataFrame
    label: Ints
    weight: Floats | None = None
    facts: Facts
    logged: Floats | None = None

    def __len__(self) -> int:
        return len(self.label)

    def at(self, rows: slice) -> TrainingRows:
        """Return some of the rows."""
        return TrainingRows(
            frame=self.frame[rows],
            label=self.label[rows],
            weight=None if self.weight is None else self.weight[rows],
            facts=self.facts.at(rows),
            logged=None if self.logged is None else self.logged[rows],
        )


def gather(spec: ModelSpec, batches: Iterable[pa.RecordBatch]) -> TrainingRows:
    """Return all labelled rows, ordered by time, then by key.

    Raises
    ------
    TrainingError
        If they do not fit into memory.
    """
    import pyarrow as pa

    batches = memory.held(batches, spec.model, "shorten training.window", TrainingError)

    # A label that some files do not have yet, or have as a float, is still one column.
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="permissive")
    table = table.sort_by([(spec.source.time, "ascending"), (spec.source.key, "ascending")])
    batch = table.combine_chunks().to_batches()[0]
    label, weight = class_indices(spec, batch), sample_weights(spec, batch)
    known = label >= 0
    return TrainingRows(
        frame=feature_frame(spec, batch)[known].reset_index(drop=True),
        label=label[known],
        weight=None if weight is None else weight[known],
        facts=facts_of(spec, batch).at(known),
    )


def facts_of(spec: ModelSpec, batch: pa.RecordBatch) -> Facts:
    """Return the facts of a batch; a slice column that it does not have is left out."""
    import pyarrow as pa

    def column(name: str) -> NDArray[Any]:
        values = batch.column(name)
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        return np.asarray(values.to_numpy(zero_copy_only=False))

    time = batch.column(spec.source.time).cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    there = [name for name in spec.gates.slices.columns if name in batch.schema.names]
    return Facts(
        time.to_numpy(zero_copy_only=False),
        column(spec.source.key),
        {name: column(name) for name in there},
    )

"""A model's past rows in memory, cut into its windows: what a replay plays over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tasks.margins import Ints
from tasks.source import SourceError, batches
from tasks.spec import ModelSpec, Validation
from tasks.windows import Window, windows_between

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class History:
    """Accepted rows, ordered by time; window i holds the rows `edges[i]` to `edges[i + 1]`.

    `times` are microseconds since 1970, UTC; `label` is -1 where it is not known.
    """

    windows: tuple[Window, ...]
    edges: Ints
    times: Ints
    frame: pd.DataFrame
    label: Ints

    def rows(self, index: int) -> slice:
        """Return the rows of a window."""
        return slice(int(self.edges[index]), int(self.edges[index + 1]))

    def between(self, start: datetime, end: datetime) -> slice:
        """Return the rows of an interval of time."""
        first, last = np.searchsorted(self.times, [_stamp(start), _stamp(end)])
        return slice(int(first), int(last))


def load(
    spec: ModelSpec, start: datetime, end: datetime, advance: Callable[[int], None] = lambda _: None
) -> History:
    """Return the rows of all whole windows in `[start, end)`, without those of bad content.

    They are read and validated as one table. What would stop a single window is left to the
    replay; that keys are unique within a window is not looked at.

    Parameters
    ----------
    advance
        Told how many rows were read, batch by batch.

    Raises
    ------
    SourceError
        If nothing is there, or it cannot be used.
    """
    import pyarrow as pa

    tiles = tuple(windows_between(spec.window, start, end))
    if not tiles:
        raise SourceError(
            f"no whole window of {spec.window.every} lies in [{start}, {end}); widen the range"
        )
    found: list[pa.RecordBatch] = []
    bad: list[Ints] = []

    def tapped() -> Iterator[pa.RecordBatch]:
        for batch in batches(spec, Window(tiles[0].start, tiles[-1].end)):
            found.append(batch)
            advance(batch.num_rows)
            yield batch

    _validate(spec, Window(tiles[0].start, tiles[-1].end), tapped(), bad)
    good = np.ones(sum(batch.num_rows for batch in found), dtype=bool)
    good[np.concatenate([np.empty(0, np.int64), *bad])] = False
    tables = [pa.Table.from_batches([batch]) for batch in found]
    table = pa.concat_tables(tables, promote_options="permissive")
    return _cut(spec, tiles, table.filter(pa.array(good)))


def _validate(
    spec: ModelSpec, whole: Window, rows: Iterator[pa.RecordBatch], bad: list[Ints]
) -> None:
    import pyarrow as pa

    from tasks.validation import validate

    result = validate(
        spec.model_copy(update={"validation": Validation(max_quarantined=1, fresh=1)}),
        whole,
        rows,
        repeated=pa.nulls(0),
        constants={},
        quarantine=lambda table: bad.append(table.column("_row").to_numpy()),
    )
    if result.problem:
        raise SourceError(f"{spec.model} {whole}: {result.problem}")


def _cut(spec: ModelSpec, tiles: tuple[Window, ...], table: pa.Table) -> History:
    import pyarrow as pa

    from tasks.training import features, labels

    table = table.sort_by([(spec.source.time, "ascending"), (spec.source.key, "ascending")])
    batch = table.combine_chunks().to_batches()[0]
    times = batch.column(spec.source.time).cast(pa.timestamp("us"), safe=False)
    stamps = times.to_numpy(zero_copy_only=False).astype(np.int64)
    edges = np.searchsorted(stamps, [_stamp(w.start) for w in tiles] + [_stamp(tiles[-1].end)])
    return History(tiles, edges, stamps, features(spec, batch), labels(spec, batch))


def _stamp(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

"""Margins that a candidate gave elsewhere: read from a file, and put beside their rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Floats
from tasks.data import csv_file, memory
from tasks.data.label_source import joined_keys
from tasks.data.plain import plain, plain_type
from tasks.data.readers import first_columns, parquet, read_parquet, unreadable
from tasks.data.unpacking import BATCH_ROWS
from tasks.errors import Final
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa

_KEY, _MARGIN = "key", "margin"


class MarginsRefused(Final):
    """Margins that are not one finite number for each row: says how many, and the way out."""


def read_margins(spec: ModelSpec, path: Path) -> pa.Table:
    """Return `key` and `margin` of a Parquet or CSV file, in the order of the keys.

    The file has them in the columns that the spec names in `source`.

    Raises
    ------
    MarginsRefused
        If the file lacks a column, or a row of it has no key, no finite margin, or the key of
        another row.
    tasks.data.readers.SourceError
        If it cannot be read.
    """
    import pyarrow as pa

    parts = list(memory.held(_batches(spec, path), str(path), "write fewer rows", MarginsRefused))
    if not parts:
        raise MarginsRefused(f"{path} has no row; write the margin of each row that judges")
    table = pa.Table.from_batches(parts).combine_chunks()
    keys, margins = table.column(_KEY), table.column(_MARGIN).to_numpy()
    counts = {
        "no key": keys.null_count,
        "no finite margin": int(np.count_nonzero(~np.isfinite(margins))),
        "the key of another row": len(keys) - keys.null_count - len(keys.unique().drop_null()),
    }
    if found := [f"{count:,} have {what}" for what, count in counts.items() if count]:
        raise MarginsRefused(
            f"{path}: of {table.num_rows:,} rows {', '.join(found)}; write one finite margin for "
            "each row"
        )
    return table.sort_by(_KEY)


def _batches(spec: ModelSpec, path: Path) -> Iterator[pa.RecordBatch]:
    import fsspec
    import pyarrow as pa

    fs, kind = fsspec.filesystem("file"), "csv" if csv_file.is_csv(str(path)) else "parquet"
    wanted = {"key": spec.source.key, "margin": spec.source.margin or ""}

    def there(header: list[str]) -> list[str]:
        for option, name in wanted.items():
            if name not in header:
                raise MarginsRefused(
                    f"{path} has no column {name!r} (source.{option}); it has: "
                    f"{first_columns(header)}"
                )
        return list(wanted.values())

    try:
        if kind == "csv":
            batches = csv_file.read_texts(fs, str(path), there, BATCH_ROWS)
        elif file := parquet(fs, str(path), str(path)):
            batches = read_parquet(fs, str(path), file.groups(None), there(file.schema.names))
        else:
            return
        for batch in batches:
            keys, margins = (batch.column(name) for name in wanted.values())
            yield pa.record_batch([_keys(keys), _numbers(margins)], names=[_KEY, _MARGIN])
    except (pa.ArrowException, OSError) as error:
        raise unreadable(str(path), kind, error, "hand it in again") from None


def _keys(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = plain(column)
    return pc.if_else(pc.equal(keys, ""), None, keys) if pa.types.is_string(keys.type) else keys


def _numbers(column: Any) -> Any:
    """Return numbers; what is none is missing."""
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return csv_file.numbers(column.cast(pa.string()))[0]
    return column.cast(pa.float64(), safe=False)


def margins_of_rows(margins: pa.Table, keys: Any, named: str) -> tuple[Floats, int]:
    """Return the margin of each row, shape (n,), and how many margins are of none of these rows.

    Parameters
    ----------
    margins
        What `read_margins` returned.
    keys
        Of the rows, shape (n,).

    Raises
    ------
    MarginsRefused
        If a row has no margin.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ours = pa.array(keys)
    kind = plain_type(ours.type)
    theirs = joined_keys(margins.column(_KEY).combine_chunks(), kind)
    place = pc.index_in(joined_keys(ours, kind), value_set=theirs)
    if place.null_count:
        raise MarginsRefused(
            f"{named}: {place.null_count:,} of the {len(ours):,} labelled rows have no margin in "
            "the file; write that of every row, and hand it in again"
        )
    found = margins.column(_MARGIN).combine_chunks().take(place)
    return np.asarray(found.to_numpy(zero_copy_only=False)), margins.num_rows - len(ours)

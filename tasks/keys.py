"""The key of a row: which keys a window has twice, found in constant memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


def repeated_keys(batches: Iterable[pa.RecordBatch]) -> pa.Array:
    """Return the keys that occur more than once in a stream of one-column batches.

    DuckDB counts them in at most 256 MB and spills the rest to a temporary folder. Missing keys
    do not count. An error that the stream raises is passed on.
    """
    import duckdb
    import pyarrow as pa

    # A source without the column gives batches without one: `validate` names it.
    columns = (batch.column(0) for batch in batches if batch.num_columns)
    stream = (column for column in columns if not pa.types.is_null(column.type))
    first = next(stream, None)
    if first is None or (keys_of_first := comparable(first, first.type)) is None:
        return pa.nulls(0)
    schema = pa.schema([("key", keys_of_first.type)])
    errors: list[Exception] = []

    def keys() -> Iterator[pa.RecordBatch]:
        try:
            for column in chain([first], stream):
                values = comparable(column, first.type)
                # Keys of another type repeat none of these; `validate` stops such a window.
                if values is not None:
                    yield pa.record_batch([values], schema=schema)
        except Exception as error:
            errors.append(error)
            raise

    query = "select key from keys where key is not null group by key having count(*) > 1"
    with tempfile.TemporaryDirectory() as folder:
        settings: Any = {"memory_limit": "256MB", "temp_directory": folder, "threads": 2}
        with duckdb.connect(config=settings) as connection:
            connection.register("keys", pa.RecordBatchReader.from_batches(schema, keys()))
            try:
                found = connection.sql(query).to_arrow_table()
            except duckdb.Error:
                if errors:  # DuckDB makes a text of its own of what the stream raised
                    raise errors[0] from None
                raise
    return found.column(0).combine_chunks().cast(schema.field(0).type).cast(first.type)


def repeats(keys: Any, key_type: pa.DataType | None, repeated: pa.Array, seen: set[Any]) -> Mask:
    """Return which keys stood in the stream before; `seen` holds repeated keys only."""
    import pyarrow.compute as pc

    again = np.zeros(len(keys), dtype=bool)
    if keys.null_count == len(keys):
        return again
    values = comparable(keys, key_type)
    places = np.flatnonzero(pc.is_in(values, value_set=comparable(repeated, key_type)))
    for place, key in zip(places, values.take(places).to_pylist(), strict=True):
        again[place] = key in seen
        seen.add(key)
    return again


def comparable(column: Any, kind: pa.DataType) -> Any:
    """Return keys in one type that compares exactly: times as integers; None if they don't fit."""
    import pyarrow as pa

    try:
        column = column.cast(kind)
        if pa.types.is_temporal(kind):
            column = column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return None if pa.types.is_nested(kind) else column

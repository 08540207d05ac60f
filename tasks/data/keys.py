"""The key of a row: which keys a window has twice, found in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Mask
from tasks.data import duck
from tasks.data.proofs import distinct
from tasks.data.readers import SourceError, within_bounds
from tasks.data.unpacking import check_keys

if TYPE_CHECKING:
    import pyarrow as pa

REPEATED = 1_000_000
REPEATED_BYTES = 1 << 26
_BATCH = 65_536


def repeated_keys(batches: Callable[[], Iterable[pa.RecordBatch]]) -> pa.Array:
    """Return the keys that occur more than once in a stream of one-column batches.

    Keys that rise, at least within each file, are seen to be distinct. Others are counted by
    DuckDB, in at most 256 MB; it spills the rest to a temporary folder. Missing keys do not count.
    An error that the stream raises is passed on.

    Raises
    ------
    SourceError
        If more than a million keys are repeated, or if single ones are too large to be compared.

    Parameters
    ----------
    batches
        Opens the stream. Called again only if keys rise at first, and later do not.
    """
    import pyarrow as pa

    stream = _columns(batches())
    first = next(stream, None)
    if first is None or (keys := comparable(first, first.type)) is None:
        return pa.nulls(0)
    stream = chain([first], stream)
    if distinct([keys]):
        if distinct(_comparable(stream, first.type)):
            return pa.array([], first.type)
        stream = _columns(batches())
    return _counted(_comparable(stream, first.type), keys.type).cast(first.type)


def _columns(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Array]:
    """Yield the one column; a source without it gives batches without: `validate` names it."""
    import pyarrow as pa

    for batch in batches:
        if batch.num_columns and not pa.types.is_null(batch.column(0).type):
            with within_bounds("source.key"):
                check_keys(batch.schema.names[0], batch.column(0))
            yield batch.column(0)


def _comparable(columns: Iterable[pa.Array], kind: pa.DataType) -> Iterator[pa.Array]:
    # Keys of another type repeat none of these; `validate` stops such a window.
    found = (comparable(column, kind) for column in columns)
    return (keys for keys in found if keys is not None)


def _counted(columns: Iterable[pa.Array], kind: pa.DataType) -> pa.Array:
    """Return the keys that DuckDB counts more than once."""
    import duckdb
    import pyarrow as pa

    schema = pa.schema([("key", kind)])
    errors: list[Exception] = []

    def keys() -> Iterator[pa.RecordBatch]:
        try:
            for column in columns:
                yield pa.record_batch([column], schema=schema)
        except Exception as error:
            errors.append(error)
            raise

    query = "select key from keys where key is not null group by key having count(*) > 1"
    with duck.connection("the window's keys (source.key)") as link:
        link.register("keys", pa.RecordBatchReader.from_batches(schema, keys()))
        try:
            found = _few(link.sql(query).to_arrow_reader(_BATCH))
        except duckdb.Error:
            if errors:  # DuckDB makes a text of its own of what the stream raised
                raise errors[0] from None
            raise
    return found.column(0).combine_chunks().cast(kind)


def _few(batches: pa.RecordBatchReader) -> pa.Table:
    """Return the repeated keys, which are held in memory: rows landed twice are no window."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(b.num_rows for b in held) > REPEATED or sum(b.nbytes for b in held) > REPEATED_BYTES:
            raise SourceError(
                f"more than {REPEATED:,} keys (source.key) stand in the window more than once, or "
                f"long ones that take over {REPEATED_BYTES >> 20} MB; land each row once"
            )
    return pa.Table.from_batches(held, batches.schema)


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
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # a value, or a type, that can't be cast
        return None
    return None if pa.types.is_nested(kind) or pa.types.is_interval(kind) else column

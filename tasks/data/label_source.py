"""Labels that have a source of their own: read, in types that can be joined to the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.bounds import shifted
from tasks.data import classes, csv_file
from tasks.data.columns import ColumnRole
from tasks.data.plain import matching, plain
from tasks.data.readers import (
    BATCH_ROWS,
    SourceError,
    files,
    listed,
    parquet,
    read_parquet,
    unreadable,
    within_bounds,
)
from tasks.data.sql_table import SqlColumn, UnreadableTable, columns_of, read_table
from tasks.data.unpacking import check_keys
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa


def labels(spec: ModelSpec, window: Window, key_type: pa.DataType) -> Iterator[pa.RecordBatch]:
    """Yield keys and labels, where both are known, with those of the window among them.

    Files of `{date}` are those from the day of the window's start to the day of its end +
    `label.delay`; of any other path or table all is read.

    Parameters
    ----------
    key_type
        The type of the rows' keys.

    Returns
    -------
    Batches of `key`, in the type in which `joined_keys` gives the rows' keys, and `label`, a text:
    the name of the class, or what stands there instead.

    Raises
    ------
    SourceError
        If the source cannot be read, lacks a column, or has one of a type that does not fit.
    """
    for where, batch in _parts(spec, window):
        batch = _complete(batch)
        if batch.num_rows:
            yield _complete(_tidy(spec, where, batch, key_type))


def _complete(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow.compute as pc

    return batch.filter(pc.and_(*(column.is_valid() for column in batch.columns)))


def joined_keys(column: pa.Array, key_type: pa.DataType) -> pa.Array:
    """Return keys as they are joined: times as integers, NaN as missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = matching(column, key_type)
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values)
    if pa.types.is_temporal(values.type):
        return values.cast(pa.int32() if values.type.bit_width == 32 else pa.int64())
    return values


def _columns(spec: ModelSpec) -> list[str]:
    assert spec.label.source is not None
    return [spec.label.source.key or spec.source.key, spec.label.source.column or spec.label.column]


def _parts(spec: ModelSpec, window: Window) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield batches of key and label, and what file or table each is from."""
    place = spec.label.source
    assert place is not None
    if place.path is None:
        for batch in _table(spec):
            yield str(place), batch
        return
    last = shifted(window.end, spec.label.delay)
    for name in files(place, "label.source", window.start, last, spec.window.timezone):
        for batch in _file(spec, window, name):
            yield name, batch


def _table(spec: ModelSpec) -> Iterator[pa.RecordBatch]:
    place, columns = spec.label.source, _columns(spec)
    assert place is not None

    def role(name: str) -> ColumnRole:
        return "key" if name == columns[0] else "label"

    def plan(table: sa.Table, link: sa.Connection) -> tuple[Any, list[SqlColumn]]:
        _require(columns, list(table.c.keys()), str(place))
        return lambda query: query, columns_of(table, columns, role)

    try:
        yield from read_table(place, "label.source", plan)
    except UnreadableTable as error:
        raise SourceError(str(error)) from None


def _file(spec: ModelSpec, window: Window, name: str) -> Iterator[pa.RecordBatch]:
    import fsspec
    import pyarrow as pa

    columns = _columns(spec)
    fs, path = fsspec.core.url_to_fs(name)
    kind = "csv" if csv_file.is_csv(path) else "parquet"

    def wanted(there: list[str]) -> list[str]:
        _require(columns, there, name)
        return columns

    try:
        if kind == "csv":
            yield from csv_file.read_texts(fs, path, wanted, BATCH_ROWS)
        elif (file := parquet(fs, path, name)) is not None:
            wanted(file.schema.names)
            for batch in read_parquet(fs, path, file.groups(None), columns):
                yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(name, kind, error, f"run the window {window} again") from None


def _require(columns: list[str], there: list[str], where: str) -> None:
    for option, name in zip(("key", "column"), columns, strict=True):
        if name not in there:
            raise SourceError(
                f"{where} has no column {name!r} (label.source.{option}); it has: {listed(there)}"
            )


def _tidy(
    spec: ModelSpec, where: str, batch: pa.RecordBatch, key_type: pa.DataType
) -> pa.RecordBatch:
    import pyarrow as pa

    keys, known = batch.columns
    with within_bounds(where):
        check_keys(batch.schema.names[0], keys)
    if not _alike(plain(keys[:0]).type, key_type):
        raise SourceError(
            f"{where}: column {batch.schema.names[0]!r} (label.source.key) is {keys.type}, but the "
            f"key of {spec.source} is {key_type}; write both in one type"
        )
    if pa.types.is_temporal(known.type) or pa.types.is_nested(known.type):
        raise SourceError(
            f"{where}: column {batch.schema.names[1]!r} (label.source.column) is "
            f"{known.type}; write classes as texts or numbers"
        )
    found = classes.named(spec, known)
    return pa.record_batch([joined_keys(keys, key_type), _filled(found)], names=["key", "label"])


def _filled(found: pa.Array) -> pa.Array:
    """Return labels, an empty text being none."""
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(found, ""), None, found)


def _alike(kind: pa.DataType, key_type: pa.DataType) -> bool:
    """Return whether a value of one type may be one of another: exactly, whatever it is."""
    from pyarrow import types as t

    if kind == key_type or t.is_null(kind) or t.is_string(kind) or t.is_string(key_type):
        return not (t.is_nested(kind) or t.is_nested(key_type))
    # A float may have lost digits of a whole number.
    return any(f(kind) and f(key_type) for f in (t.is_integer, t.is_floating, t.is_timestamp))

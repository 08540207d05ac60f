"""Labels that have a source of their own: read, in types that can be joined to the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.data import classes
from tasks.data.plain import matching, plain
from tasks.data.readers import SourceError, within_bounds
from tasks.data.sources import reader_of
from tasks.data.unpacking import check_keys
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


def known_labels(
    spec: ModelSpec, window: Window, key_type: pa.DataType
) -> Iterator[pa.RecordBatch]:
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
    assert spec.label.source is not None
    reader = reader_of(spec.label.source)
    for where, batch in reader.labels(spec, window, _columns(spec)):
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


def _tidy(
    spec: ModelSpec, where: str, batch: pa.RecordBatch, key_type: pa.DataType
) -> pa.RecordBatch:
    import pyarrow as pa

    assert spec.label.source is not None
    option = spec.label.source.option
    keys, known = batch.columns
    with within_bounds(where):
        check_keys(batch.schema.names[0], keys)
    if not _alike(plain(keys[:0]).type, key_type):
        raise SourceError(
            f"{where}: column {batch.schema.names[0]!r} ({option}.key) is {keys.type}, but the "
            f"key of {spec.source} is {key_type}; write both in one type"
        )
    if pa.types.is_temporal(known.type) or pa.types.is_nested(known.type):
        raise SourceError(
            f"{where}: column {batch.schema.names[1]!r} ({option}.column) is "
            f"{known.type}; write classes as texts or numbers"
        )
    found = classes.as_class_names(spec, known)
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

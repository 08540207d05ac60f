"""Labels that have a source of their own: read, in types that can be joined to the rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from tasks.bounds import shifted
from tasks.keys import comparable
from tasks.readers import SourceError, files, read_file, read_table
from tasks.spec import ModelSpec
from tasks.windows import Window

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
        The type of the rows' keys, as `plain_type` gives it.

    Returns
    -------
    Batches of `key`, in the type in which `plain_keys` gives the rows' keys, and `label`, as
    float64 or string.

    Raises
    ------
    SourceError
        If the source cannot be read, lacks a column, or has one of a type that does not fit.
    """
    label_type: pa.DataType | None = None
    for where, batch in _parts(spec, window, key_type):
        batch = _complete(batch)
        if not batch.num_rows:
            continue
        tidy = _tidy(spec, where, batch, key_type)
        kind = tidy.schema.field("label").type
        label_type = label_type or kind
        if kind != label_type:
            raise SourceError(
                f"{where}: column {batch.schema.names[1]!r} (label.source.column) is {kind}, "
                f"elsewhere it is {label_type}; write it in one type"
            )
        yield _complete(tidy)


def _complete(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow.compute as pc

    return batch.filter(pc.and_(*(column.is_valid() for column in batch.columns)))


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which keys that mean the same are the same."""
    from pyarrow import int64, string, types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_integer(kind) and not types.is_uint64(kind):
        return int64()
    text = types.is_large_string(kind) or types.is_string_view(kind)
    return string() if text else kind


def plain_keys(column: pa.Array, key_type: pa.DataType) -> pa.Array | None:
    """Return keys as they are joined: times as integers, NaN as missing; None if unfit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = comparable(column, key_type)
    if values is not None and pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values)
    return values


def _columns(spec: ModelSpec) -> list[str]:
    assert spec.label.source is not None
    return [spec.label.source.key or spec.source.key, spec.label.source.column or spec.label.column]


def _parts(
    spec: ModelSpec, window: Window, key_type: pa.DataType
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield batches of key and label, and what file or table each is from."""
    place, columns = spec.label.source, _columns(spec)
    assert place is not None
    if place.path is None:

        def query(table: sa.Table) -> sa.Select[Any]:
            import sqlalchemy as sa

            _require(columns, list(table.c.keys()), str(place))
            return sa.select(*(table.c[name] for name in columns))

        for batch in read_table(place, "label.source", query):
            yield str(place), batch
        return

    def plan(schema: pa.Schema, name: str) -> tuple[list[str], None]:
        _require(columns, schema.names, name)
        return columns, None

    types = partial(_roomy, spec, key_type)
    last = shifted(window.end, spec.label.delay)
    for name in files(place, "label.source", window.start, last, spec.window.timezone):
        for batch in read_file(name, window, types, partial(plan, name=name)):
            yield name, batch


def _require(columns: list[str], there: list[str], where: str) -> None:
    for option, name in zip(("key", "column"), columns, strict=True):
        if name not in there:
            raise SourceError(
                f"{where} has no column {name!r} (label.source.{option}); it has: {there}"
            )


def _roomy(spec: ModelSpec, key_type: pa.DataType, schema: pa.Schema) -> pa.Schema:
    """Return types that hold the whole CSV, and keys and classes that are texts as they stand."""
    import pyarrow as pa

    key, label = _columns(spec)
    whole = all(isinstance(name, int) for name in spec.label.classes)
    for index, field in enumerate(schema):
        empty = pa.types.is_null(field.type)
        if field.name == key and (empty or pa.types.is_string(key_type)):
            schema = schema.set(index, field.with_type(key_type))
        elif field.name == label and not whole:
            schema = schema.set(index, field.with_type(pa.string()))
        elif field.name == label and (empty or pa.types.is_integer(field.type)):
            schema = schema.set(index, field.with_type(pa.float64()))
    return schema


def _tidy(
    spec: ModelSpec, where: str, batch: pa.RecordBatch, key_type: pa.DataType
) -> pa.RecordBatch:
    import pyarrow as pa

    kind = batch.column(0).type
    keys = plain_keys(batch.column(0), key_type) if _alike(kind, key_type) else None
    if keys is None:
        raise SourceError(
            f"{where}: column {batch.schema.names[0]!r} (label.source.key) is {kind}, but the key "
            f"of {spec.source} is {key_type}; write both in one type"
        )
    known = _classes(batch.column(1))
    if known is None:
        raise SourceError(
            f"{where}: column {batch.schema.names[1]!r} (label.source.column) is "
            f"{batch.column(1).type}; write classes as texts or numbers"
        )
    return pa.record_batch([keys, known], names=["key", "label"])


def _alike(kind: pa.DataType, key_type: pa.DataType) -> bool:
    # Not all that casts: a float may have lost digits of the key, and a text has no one form of it.
    from pyarrow import types as t

    kinds = (t.is_integer, t.is_floating, t.is_decimal, t.is_timestamp)
    return plain_type(kind) == key_type or any(f(kind) and f(key_type) for f in kinds)


def _classes(column: pa.Array) -> pa.Array | None:
    """Return labels as texts or floats, null where they are empty; None if they are neither."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types as t

    kind = column.type.value_type if t.is_dictionary(column.type) else column.type
    if t.is_string(plain_type(kind)):
        column = column.cast(pa.string())
        return pc.if_else(pc.equal(column, ""), None, column)
    if any(f(kind) for f in (t.is_integer, t.is_floating, t.is_decimal, t.is_boolean)):
        column = column.cast(kind).cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(column), None, column)
    return None

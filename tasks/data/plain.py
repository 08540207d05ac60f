"""Values that mean the same, in a form in which they are the same: exact, whatever their type."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tasks.data.times import from_texts

if TYPE_CHECKING:
    import pyarrow as pa


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which `plain` gives values of a type."""
    import pyarrow as pa
    from pyarrow import types as t

    if t.is_dictionary(kind):
        return plain_type(kind.value_type)
    if t.is_integer(kind) and not t.is_uint64(kind):
        return pa.int64()
    if t.is_float16(kind):
        return pa.float64()
    texts = t.is_large_string(kind) or t.is_string_view(kind)
    return pa.string() if texts or t.is_decimal(kind) or _is_bytes(kind) else kind


def plain(column: Any) -> Any:
    """Return values in the fewest types that hold them exactly, such as those of keys.

    Whole numbers are int64; decimals, bytes and UUIDs are texts; what a dictionary refers to
    stands itself.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return plain(column.cast(column.type.value_type))
    kind = plain_type(column.type)
    if kind == column.type:
        return column
    unlike = pa.types.is_decimal(column.type) or _is_bytes(column.type)
    return as_texts(column) if unlike else column.cast(kind)


def as_texts(column: Any) -> Any:
    """Return each value's text: 7, 7.0 and the decimal 7.00 are `7`, UUIDs and bytes hexadecimal.

    NaN is a missing value.

    Raises
    ------
    pyarrow.ArrowNotImplementedError
        If the type has no text.
    """
    import pyarrow as pa
    from pyarrow import types as t

    kind = column.type
    if t.is_dictionary(kind):
        return as_texts(column.cast(kind.value_type))
    if t.is_floating(kind) or t.is_decimal(kind) or _is_bytes(kind):
        if isinstance(column, pa.ChunkedArray):
            return pa.chunked_array([as_texts(part) for part in column.chunks], pa.string())
        return pa.array([text_of(value) for value in _values(column)], pa.string())
    if t.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit))  # of UTC, whatever the zone
    return column.cast(pa.string())


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa
    from pyarrow import types as t

    kinds = (t.is_binary, t.is_large_binary, t.is_fixed_size_binary, t.is_binary_view)
    return any(f(kind) for f in kinds) or kind == pa.uuid()


def _values(column: pa.Array) -> list[Any]:
    import pyarrow as pa

    column = column.storage if isinstance(column.type, pa.ExtensionType) else column
    return list(column.to_pylist())


def text_of(value: Any) -> str | None:
    """Return the text of one value as Python has it; None of a missing one."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, Decimal):
        whole, _, fraction = f"{value:f}".partition(".")
        fraction = fraction.rstrip("0")
        return f"{whole}.{fraction}" if fraction else "0" if whole == "-0" else whole
    if isinstance(value, bytes | bytearray | memoryview):
        return _hexadecimal(bytes(value))
    return str(value)


def _hexadecimal(value: bytes) -> str:
    # Sixteen bytes are a UUID in nearly every table, and often have lost their name for it.
    text = value.hex()
    if len(value) != 16:
        return text
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def matching(column: Any, kind: pa.DataType) -> Any:
    """Return values in a plain type of others, so that equal ones mean the same.

    Null where a value has no equal there: a text `007` is no number, though a 7 is.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types as t

    column = plain(column)
    if column.type == kind:
        return column
    if t.is_string(kind):
        return as_texts(column)
    if t.is_timestamp(kind) and t.is_string(column.type):
        return from_texts(column, "UTC")[0].cast(kind, safe=False)
    if t.is_timestamp(kind) and t.is_timestamp(column.type):
        column = column if column.type.tz is not None else column.cast(pa.timestamp("us", "UTC"))
        return column.cast(kind, safe=False)
    try:
        found = column.cast(kind)
    except pa.ArrowInvalid:
        found = _each(column, kind)
    except pa.ArrowNotImplementedError:
        return pa.nulls(len(column), kind)
    return pc.if_else(pc.equal(as_texts(found), as_texts(column)), found, None)


def _each(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column cast value by value; null where one cannot be."""
    import pyarrow as pa

    def one(value: pa.Scalar) -> Any:
        try:
            return value.cast(kind).as_py()
        except pa.ArrowInvalid:
            return None

    distinct = column.dictionary_encode()
    values = pa.array([one(value) for value in distinct.dictionary], kind)
    return values.take(distinct.indices)

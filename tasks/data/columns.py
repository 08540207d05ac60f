"""What each column of a source is for, and one schema for all files of a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tasks.data import classes
from tasks.data.plain import as_texts, plain, plain_type
from tasks.data.times import instants, is_time, zone_of

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.spec.model import ModelSpec

ColumnRole: TypeAlias = Literal["time", "key", "number", "text", "label", "unknown"]
Cast: TypeAlias = Callable[[Any], Any]


def role_of(spec: ModelSpec, name: str) -> ColumnRole:
    """Return what the spec says that a column is; `unknown` if it says nothing of it."""
    source = spec.source
    if name == source.time:
        return "time"
    if name in (*spec.features.numeric, source.margin, source.weight):
        return "number"
    if name == source.key:
        return "key"
    if name in (*spec.features.categorical, *spec.features.text, source.version_column):
        return "text"
    if name == spec.label.column:
        return "label"
    return _role_beside(spec, name)


def _role_beside(spec: ModelSpec, name: str) -> ColumnRole:
    """Return what a column is by the use that gates and expectations make of it."""
    bounds = [value for e in spec.expectations if name in e.columns for value in _bounds(e)]
    if any(isinstance(value, date) for value in bounds):
        return "time"
    if any(isinstance(value, int | float) for value in bounds):
        return "number"
    if any(over.edges for over in spec.gates.slices.over if over.column == name):
        return "number"
    return "text" if bounds or name in spec.gates.slices.columns else "unknown"


def _bounds(expectation: Any) -> list[Any]:
    """Return the values of an expectation's arguments that values of a column are held against."""
    wanted = ("min_value", "max_value", "value_set")
    given = [v for k, v in expectation.arguments.items() if k.startswith(wanted)]
    found = [v for one in given for v in (one if isinstance(one, list | tuple) else [one])]
    return [v for v in found if v is not None and not isinstance(v, bool)]


def common(spec: ModelSpec, schemas: Iterable[pa.Schema]) -> Mapping[str, Cast]:
    """Return what makes the columns of files with these schemas alike, by name.

    A type that is the same in all of them stays, unless nothing downstream could use it. Others
    become what the spec says that the column is. What fits no such type stays as it is:
    `validation` names it.
    """
    kinds: dict[str, list[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            if field.type not in kinds.setdefault(field.name, []):
                kinds[field.name].append(field.type)
    return {name: _cast(spec, role_of(spec, name), found) for name, found in kinds.items()}


def alike(batch: pa.RecordBatch, casts: Mapping[str, Cast]) -> pa.RecordBatch:
    """Return a batch with its columns in the common types."""
    import pyarrow as pa

    names = batch.schema.names
    columns = [
        casts[name](column) if name in casts else column
        for name, column in zip(names, batch.columns, strict=True)
    ]
    same = all(new is old for new, old in zip(columns, batch.columns, strict=True))
    return batch if same else pa.record_batch(columns, names=names)


def _cast(spec: ModelSpec, role: ColumnRole, kinds: list[pa.DataType]) -> Cast:
    import pyarrow as pa

    there = [kind for kind in kinds if not pa.types.is_null(kind)]
    if not there:
        return _as_it_is
    if role == "label":
        if all(classes.fits(spec, kind) for kind in there):
            return _as_it_is if len(kinds) == 1 else _to(pa.float64())
        return _or_as_it_is(lambda column: classes.as_class_names(spec, column))
    if role == "key":
        return _key_cast(there)
    if role == "time" and all(map(is_time, there)):
        return _time_cast(spec, kinds)
    if role == "number" and len(kinds) > 1 and all(map(_is_number, there)):
        return _to(pa.float64())
    if role == "text" and (len(kinds) > 1 or _is_fraction(there[0])):
        return _or_as_it_is(as_texts)
    if role == "unknown" and len(kinds) > 1:
        return _to(pa.float64()) if all(map(_is_number, there)) else _or_as_it_is(as_texts)
    return _as_it_is


def _as_it_is(column: Any) -> Any:
    return column


def _to(kind: pa.DataType) -> Cast:
    def cast(column: Any) -> Any:
        import pyarrow as pa

        if column.type == kind:
            return column
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        return column.cast(kind, safe=False)

    return cast


def _or_as_it_is(cast: Cast) -> Cast:
    """Return a cast that leaves values of a type without a text alone; `validation` names it."""

    def tried(column: Any) -> Any:
        import pyarrow as pa

        try:
            return cast(column)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return column

    return tried


def _key_cast(kinds: list[pa.DataType]) -> Cast:
    import pyarrow as pa

    plains = {plain_type(kind) for kind in kinds}
    if len(plains) == 1:
        (only,) = plains
        return lambda column: column.cast(only) if pa.types.is_null(column.type) else plain(column)
    if all(pa.types.is_timestamp(kind) for kind in plains):
        return _to(_finest(list(plains)))
    return _or_as_it_is(as_texts)


def _time_cast(spec: ModelSpec, kinds: list[pa.DataType]) -> Cast:
    import pyarrow as pa

    if len(kinds) == 1 and pa.types.is_timestamp(kinds[0]):
        return _as_it_is
    finest = _finest([k for k in kinds if pa.types.is_timestamp(k)] or [pa.timestamp("s")])

    def cast(column: Any) -> Any:
        if pa.types.is_null(column.type):
            return column.cast(finest)
        return instants(column, zone_of(spec)).cast(finest)

    return cast


def _finest(kinds: list[Any]) -> pa.DataType:
    import pyarrow as pa

    return pa.timestamp(max((k.unit for k in kinds), key=["s", "ms", "us", "ns"].index), "UTC")


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    kinds = (t.is_integer, t.is_floating, t.is_decimal, t.is_boolean)
    return any(f(kind) for f in kinds)


def _is_fraction(kind: pa.DataType) -> bool:
    # Whole numbers with a gap are floats to pandas, and decimals to many databases.
    from pyarrow import types as t

    kind = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_floating(kind) or t.is_decimal(kind))

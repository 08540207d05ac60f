"""Does a table have the columns that the spec names, of types that fit? By its Arrow schema.

pandas would turn integers with a gap into floats.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from tasks.data.keys import comparable
from tasks.spec.model import ModelSpec
from tasks.validation.rules import Check

if TYPE_CHECKING:
    import pyarrow as pa

    _Fits: TypeAlias = Callable[[pa.DataType], bool]


def check_schema(spec: ModelSpec, table: pa.Table, key_type: pa.DataType | None) -> list[Check]:
    """Return a check for each column that the spec names, then one for each type.

    Parameters
    ----------
    key_type
        That of the window's first keys: all others must fit it.
    """
    return [*_columns(spec, table), *_types(spec, table, key_type)]


def type_of(table: pa.Table, name: str) -> pa.DataType | None:
    """Return the type of a column; None if the table lacks it."""
    return table.schema.field(name).type if name in table.column_names else None


def _columns(spec: ModelSpec, table: pa.Table) -> Iterator[Check]:
    # Windows are measured without them; a gate that needs one says so.
    beside = set(spec.gates.slices.columns) - set(spec.needed_columns)
    for name in dict.fromkeys([*spec.columns, *(c for e in spec.expectations for c in e.columns)]):
        present = name in table.column_names
        yield Check(
            expectation="expect_column_to_exist",
            column=name,
            effect="warn" if name in beside else "stop",
            passed=present,
            detail="in the source" if present else "not in the source",
            remedy="add it there or correct the spec",
        )


def _types(spec: ModelSpec, table: pa.Table, key_type: pa.DataType | None) -> Iterator[Check]:
    def key(_: pa.DataType) -> bool:
        return comparable(table.column(spec.source.key), key_type) is not None

    for name, expected, fits in _wanted(spec, key):
        kind = type_of(table, name)
        if kind is None:
            continue
        passed = fits(kind)
        shown = textwrap.shorten(str(kind), 80, placeholder="…")  # nested types are long
        yield Check(
            expectation="expect_column_values_to_be_in_type_list",
            column=name,
            effect="stop",
            passed=passed,
            detail=expected if passed else f"{expected}; the source has {shown}",
            remedy="write it as such",
        )


def _wanted(spec: ModelSpec, key: _Fits) -> Iterator[tuple[str, str, _Fits]]:
    """Yield columns, each with the name of what its type must be, and what tells whether it is."""
    yield spec.source.time, "timestamp", _moment
    yield spec.source.key, "one plain type in the whole window", key
    for name in spec.features.numeric:
        yield name, "number or bool", _number_or_bool
    for name in (*spec.features.categorical, *spec.features.text):
        yield name, "string, integer or bool", _word
    for logged in (spec.source.margin, spec.source.weight):
        if logged:
            yield logged, "number", _number
    if spec.source.version_column:
        yield spec.source.version_column, "version number", _plain


def _moment(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return bool(t.is_timestamp(kind) or t.is_null(kind))


def _number(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return any(f(kind) for f in (t.is_integer, t.is_floating, t.is_decimal, t.is_null))


def _number_or_bool(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return _number(kind) or bool(t.is_boolean(kind))


def _word(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    kind = kind.value_type if t.is_dictionary(kind) else kind
    text = (t.is_string, t.is_large_string, t.is_string_view)
    return any(f(kind) for f in (*text, t.is_integer, t.is_boolean, t.is_null))


def _plain(kind: pa.DataType) -> bool:
    return _number(kind) or _word(kind)

"""What a column of a data file is taken for when nobody says it, and why. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

ColumnKind: TypeAlias = Literal["numeric", "categorical", "text", "left out"]
COLUMN_KINDS: tuple[ColumnKind, ...] = ("numeric", "categorical", "text")

FEW_VALUES = 50  # distinct values up to which a text is a category, whatever is in it
_MOST_MISSING = 0.1  # validation.max_quarantined: rows that miss a feature are quarantined
_MOST_UNREAD = 0.05  # of texts among numbers
_LIKE_NUMBERS = 0.5
_UNIQUE = 0.9
_RISING = 0.99
_INDEX = re.compile(r"(__index_level_\d+__|Unnamed: \d+|)\Z")  # as pandas names its own
# What most programs write for a missing value, as Arrow has it.
_MISSING = ["", "#N/A", "NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "-", "?"]
_NUMBER = r"^\s*-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
_GROUPED = r"^\s*-?\d{1,3}(,\d{3})+(\.\d+)?\s*$"
_CODE = r"^0\d+$"  # a number would lose the zero


@dataclass(frozen=True)
class Guess:
    """A column, what it is taken for, and why; it names no value of the column."""

    column: str
    kind: ColumnKind
    why: str


def guess(name: str, values: pa.ChunkedArray, *, index: bool, written: bool) -> Guess:
    """Return what a column is taken for.

    Parameters
    ----------
    index
        Whether the file says that it is the index of a pandas frame.
    written
        Whether the values are texts because the file holds nothing else: a CSV.
    """
    import pyarrow.types as t

    if index or _INDEX.match(name):
        return Guess(name, "left out", "the row number that pandas wrote")
    kind = values.type
    if t.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if values.null_count == len(values):
        return Guess(name, "left out", "it is always missing")
    is_text = t.is_string(kind) or t.is_large_string(kind)
    is_number = any(f(kind) for f in (t.is_integer, t.is_floating, t.is_decimal, t.is_boolean))
    if not (is_text or is_number):
        return Guess(name, "left out", f"no feature can be made of {kind}")
    if is_text:
        return _of_texts(name, values, written)
    return _of_numbers(name, values)


def _of_numbers(name: str, values: pa.ChunkedArray) -> Guess:
    import pyarrow.types as t

    if found := _useless(name, values):
        return found
    if t.is_boolean(values.type):
        return Guess(name, "numeric", "booleans, as 0 and 1")
    if t.is_integer(values.type) and _rises(values):
        return Guess(name, "left out", "whole numbers that rise from row to row, like a key")
    told = "numbers"
    if t.is_integer(values.type) and values.null_count == 0 and _distinct(values) == len(values):
        told = "whole numbers, different in each row; if this is a key, leave it out"
    return Guess(name, "numeric", told + _missing(values))


def _of_texts(name: str, values: pa.ChunkedArray, written: bool) -> Guess:
    import pyarrow as pa
    import pyarrow.compute as pc

    blank = pc.is_in(pc.utf8_trim_whitespace(values), value_set=pa.array(_MISSING, values.type))
    said = values.filter(pc.invert(blank)).drop_null()
    if not len(said):
        return Guess(name, "left out", "it is always missing")
    distinct = pc.unique(said)
    numbers = _share(said, _NUMBER)
    codes = _share(said, _CODE)
    if written and _is_boolean(distinct):
        return _useless(name, values) or Guess(name, "numeric", "booleans, as 0 and 1")
    if written and numbers >= 1 - _MOST_UNREAD and not codes:
        return _of_written_numbers(name, values, said, numbers)
    if found := _useless(name, values):
        return found
    if _is_time(distinct):
        return Guess(
            name, "left out", "times or dates; make a number of them, such as the days since"
        )
    told = f"texts of {len(distinct):,} values"
    few = len(distinct) <= FEW_VALUES
    like_numbers = numbers + _share(said, _GROUPED)
    if codes and numbers == 1:
        told += "; digits with leading zeros, which numbers would lose"
    elif like_numbers >= _LIKE_NUMBERS:
        told += (
            f", {100 * like_numbers:.0f} % of them look like numbers; write them as plain numbers"
        )
        if not few:  # as words they would only mislead
            return Guess(name, "left out", f"{told}, without separators or signs for a missing one")
    spaced = _share(said, r"\S\s+\S")
    if few or (spaced == 0 and 2 * len(distinct) <= len(said)):
        return Guess(name, "categorical", told + _missing(values))
    if len(distinct) > _UNIQUE * len(said) and spaced < 0.5:
        return Guess(name, "left out", "one word, different in nearly every row, like a key")
    return Guess(name, "text", told + _missing(values))


def _of_written_numbers(
    name: str, values: pa.ChunkedArray, said: pa.ChunkedArray, share: float
) -> Guess:
    """Judge a CSV's column whose texts are nearly all numbers, as a column of numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_number = pc.match_substring_regex(values, _NUMBER).fill_null(False)
    numbers = pc.utf8_trim_whitespace(pc.if_else(is_number, values, None)).cast(pa.float64())
    whole = numbers.cast(pa.int64(), safe=False)
    if pc.all(pc.equal(whole.cast(pa.float64()), numbers)).as_py():
        numbers = whole
    found = _of_numbers(name, numbers)
    other = len(values) - pc.sum(is_number).as_py()
    if found.kind == "left out" or not other:
        return found
    unread = f"numbers, but for {other:,} of {len(values):,} rows, which are quarantined"
    return Guess(name, "numeric", unread)


def _useless(name: str, values: pa.ChunkedArray) -> Guess | None:
    missing = values.null_count / len(values)
    if missing > _MOST_MISSING:
        why = f"missing in {100 * missing:.0f} % of the rows, which would be quarantined"
        return Guess(name, "left out", why)
    if _distinct(values) == 1:
        return Guess(name, "left out", "the same value in every row")
    return None


def _missing(values: pa.ChunkedArray) -> str:
    if not values.null_count:
        return ""
    return f"; missing in {values.null_count:,} rows, which are quarantined"


def _distinct(values: pa.ChunkedArray) -> int:
    import pyarrow.compute as pc

    return int(pc.count_distinct(values.drop_null()).as_py())


def _rises(values: pa.ChunkedArray) -> bool:
    import numpy as np

    steps = np.diff(values.drop_null().to_numpy().astype(np.float64))
    # Nearly all steps: numbers may start again in each file.
    return bool(len(steps) > FEW_VALUES and max((steps > 0).mean(), (steps < 0).mean()) > _RISING)


def _share(texts: pa.ChunkedArray, pattern: str) -> float:
    import pyarrow.compute as pc

    return float(pc.sum(pc.match_substring_regex(texts, pattern)).as_py() or 0) / len(texts)


def _is_boolean(distinct: Any) -> bool:
    return set(map(str.lower, distinct.to_pylist()[:9])) == {"true", "false"}


def _is_time(distinct: Any) -> bool:
    import pyarrow as pa

    try:
        distinct.slice(0, 1000).cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        pass
    else:
        return True
    try:
        distinct.slice(0, 1000).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True

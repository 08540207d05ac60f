"""What a column's own aggregates prove of all its rows, so that none need be judged by itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Column:
    """A column's aggregates, each found once, when it is first asked for."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self._values = values

    def proves(self, expectation: str, arguments: Mapping[str, Any]) -> bool:
        """Return whether every row surely meets an expectation; False if that is not known.

        Known are `not_be_null`, `be_between` of numbers, and `be_in_set` of integers; of columns
        without any missing value.
        """
        wanted = {k: v for k, v in arguments.items() if k not in ("column", "mostly")}
        if not self._complete:
            return False
        if expectation == "expect_column_values_to_not_be_null":
            return not wanted
        if expectation == "expect_column_values_to_be_between" and self._number:
            return set(wanted) == {"min_value", "max_value"} and self._between(**wanted)
        if expectation == "expect_column_values_to_be_in_set" and self._whole:
            return set(wanted) == {"value_set"} and self._distinct <= _whole_numbers(**wanted)
        return False

    @property
    def _whole(self) -> bool:
        import pyarrow as pa

        return bool(pa.types.is_integer(self._values.type))

    @property
    def _number(self) -> bool:
        import pyarrow as pa

        return self._whole or bool(pa.types.is_float64(self._values.type))

    @cached_property
    def _complete(self) -> bool:
        """Return whether there is a value in each row; a NaN or an infinity makes a sum one too."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self._values.type
        if self._values.null_count or pa.types.is_nested(kind) or pa.types.is_dictionary(kind):
            return False
        if pa.types.is_floating(kind):
            return pa.types.is_float64(kind) and isfinite(pc.sum(self._values, min_count=0).as_py())
        return True

    @cached_property
    def _ends(self) -> tuple[Any, Any]:
        import pyarrow.compute as pc

        ends = pc.min_max(self._values).as_py()
        return ends["min"], ends["max"]

    @cached_property
    def _distinct(self) -> set[int]:
        return set(self._values.unique().to_pylist())

    def _between(self, min_value: Any, max_value: Any) -> bool:
        if not all(type(bound) in (int, float) for bound in (min_value, max_value)):
            return False
        low, high = self._ends
        return bool(low is not None and min_value <= low and high <= max_value)


def _whole_numbers(value_set: Any) -> set[int]:
    return {value for value in value_set if type(value) is int}

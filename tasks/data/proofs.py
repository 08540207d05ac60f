"""What aggregates of a column prove about all its rows, so that no row is judged alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_FALLS = 1000


class ProvenColumn:
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
        """Return whether there is a value in each row, and no NaN or infinity."""
        import pyarrow as pa

        kind = self._values.type
        if self._values.null_count or pa.types.is_nested(kind) or pa.types.is_dictionary(kind):
            return False
        if pa.types.is_floating(kind):
            return pa.types.is_float64(kind) and all(map(isfinite, self._ends))
        return True

    @cached_property
    def _ends(self) -> tuple[Any, Any]:
        values = self._values.to_numpy()  # NumPy is faster than Arrow, and knows NaN for an end
        return (values.min(), values.max()) if len(values) else (0, 0)

    @cached_property
    def _distinct(self) -> set[int]:
        return set(self._values.unique().to_pylist())

    def _between(self, min_value: Any, max_value: Any) -> bool:
        if not all(type(bound) in (int, float) for bound in (min_value, max_value)):
            return False
        low, high = self._ends
        return bool(min_value <= low and high <= max_value)


def distinct(columns: Iterable[pa.Array]) -> bool:
    """Return whether surely no value occurs twice in a stream of one type; False if not known.

    Known are values that rise but for at most 1 000 times, if the ranges in which they rise, such
    as those of files, lie apart.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ranges: list[tuple[Any, Any]] = []
    falls = 0
    for column in columns:
        values = column.drop_null()
        try:
            rises = pc.greater(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
        except pa.ArrowNotImplementedError:  # Arrow orders no half floats and no intervals
            return False
        last = np.flatnonzero(~rises).tolist()
        falls += len(last)
        if falls > _FALLS:
            return False
        last += [len(values) - 1] if len(values) else []
        for before, end in pairwise([-1, *last]):
            ranges.append((values[before + 1].as_py(), values[end].as_py()))
    return all(one[1] < two[0] for one, two in pairwise(sorted(ranges)))


def _whole_numbers(value_set: Any) -> set[int]:
    return {value for value in value_set if type(value) is int}

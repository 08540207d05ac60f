"""Which version scored a row, from whatever production logged."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tasks.data.served_by import ScoredBy, ServedCount, unknown, versions

COLUMNS = {
    "numbers": pa.array([3, 12, None]),
    "floats, as a gap makes them": pa.array([3.0, 12.0, None]),
    "texts": pa.array(["3", "12", "canary"]),
    "texts with a v": pa.array(["v3", " V12 ", ""]),
    "categories": pa.array(["v3", "12", None]).dictionary_encode(),
    "large texts": pa.array(["v3", "12", None], pa.large_string()),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_version_is_read_from_what_production_logged(column: pa.Array) -> None:
    assert versions(column).tolist() == [3, 12, -1]


@pytest.mark.parametrize("odd", [-3, 3.5, "3.5", "v", "version 3", "3; drop", "1e3", 10**12])
def test_what_is_no_version_number_names_none(odd: object) -> None:
    assert versions(pa.array([odd])).tolist() == [-1]


def test_a_column_without_any_value_names_none() -> None:
    assert versions(pa.nulls(2)).tolist() == [-1, -1]


def test_a_column_of_something_else_does_not_grow_the_count() -> None:
    count = ServedCount("by")
    batch = pa.record_batch({"by": pa.array(range(100_000))})
    assert sum(b.num_rows for b in count.tap([batch])) == 100_000
    scored = count.scored_by()
    assert (len(scored.versions), scored.others) == (20, 99_980)
    assert ScoredBy.from_json(scored.to_json()) == scored


def test_nothing_is_said_where_all_versions_are_known() -> None:
    assert unknown(ScoredBy(versions={1: 5, 2: 3}, others=0, none=0), [1, 2, 3]) is None

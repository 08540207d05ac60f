"""Validation with real Great Expectations and DuckDB; the rows are small tables made here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data.keys import repeated_keys
from tasks.validation import checked_window, suite
from tests.support.checked import (
    BETWEEN,
    IN_SET,
    NOT_NULL,
    TYPES,
    UNIQUE,
    WINDOW,
    check_of,
    rows,
    run,
    spec_of,
)


def test_a_good_window_is_accepted_whole() -> None:
    verdict, bad = run(rows())
    assert (verdict.rows, verdict.accepted, verdict.quarantined) == (100, 100, 0)
    assert verdict.problem is None
    assert verdict.warnings == ()
    assert bad == []
    assert all(check.passed for check in verdict.checks)


def test_of_a_good_window_great_expectations_is_asked_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suite, "import_gx", lambda: pytest.fail("it costs seconds to import"))
    verdict, _ = run(rows())
    assert verdict.accepted == 100


def test_missing_and_infinite_values_are_quarantined_with_every_reason() -> None:
    verdict, bad = run(
        rows(price={5: np.inf, 6: -np.inf}, demand={5: np.nan}, region={7: None}, time={8: None})
    )
    assert (verdict.accepted, verdict.quarantined, verdict.problem) == (96, 4, None)
    reasons = {row["_row"]: set(row["_reason"].split("; ")) for row in bad}
    assert reasons == {
        5: {f"{BETWEEN} on column 'price'", f"{NOT_NULL} on column 'demand'"},
        6: {f"{BETWEEN} on column 'price'"},
        7: {f"{NOT_NULL} on column 'region'"},
        8: {f"{NOT_NULL} on column 'time'"},
    }
    assert bad[2]["key"] == 7


def test_a_logged_margin_must_be_a_finite_number() -> None:
    spec = spec_of(source__margin="f")
    margin = [0.5] * 98 + [np.nan, np.inf]
    verdict, bad = run(rows(f=margin), spec)
    assert [row["_row"] for row in bad] == [98, 99]
    verdict, _ = run(rows(f=["0.5"] * 100), spec)
    assert verdict.problem is not None
    assert f"{TYPES} on column 'f'" in verdict.problem


@pytest.mark.usefixtures("tiny_chunks")
def test_of_a_repeated_key_the_first_row_is_kept_across_batches() -> None:
    table = rows(key={40: 3, 60: 3, 90: 3})
    verdict, bad = run(table.to_batches(max_chunksize=50))
    assert [row["_row"] for row in bad] == [40, 60, 90]
    assert {row["_reason"] for row in bad} == {f"{UNIQUE} on column 'key'"}
    assert check_of(verdict, UNIQUE, "key").failed_rows == 3


@pytest.mark.parametrize(
    "kind", [pa.int32(), pa.string(), pa.timestamp("ns", "Europe/Berlin"), pa.date32()]
)
def test_repeated_keys_are_found_in_any_type_and_returned_in_it(kind: pa.DataType) -> None:
    one, two = (pa.array(values, pa.int32()) for values in ([1, 2, None], [2, 3, None, 3]))
    wide = pa.int32() if kind == pa.date32() else pa.int64()
    batches = [pa.record_batch([k.cast(wide).cast(kind)], names=["key"]) for k in (one, two)]
    found = repeated_keys(lambda: batches)
    assert found.type == kind
    plain = found.cast(wide) if pa.types.is_temporal(kind) else found
    assert sorted(int(v) for v in plain.to_pylist()) == [2, 3]


def test_times_a_nanosecond_apart_are_different_keys() -> None:
    keys = pa.array([1, 2, 2], pa.int64()).cast(pa.timestamp("ns", "UTC"))
    assert len(repeated_keys(lambda: [pa.record_batch([keys], names=["key"])])) == 1


def test_an_error_of_the_stream_of_keys_is_passed_on() -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch([pa.array([1])], names=["key"])
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        repeated_keys(broken)


@pytest.mark.usefixtures("tiny_chunks")
def test_a_file_with_no_key_at_all_is_quarantined_and_the_next_one_judged() -> None:
    parts = [rows(10, key=pa.nulls(10)), rows(key={4: 3})]
    verdict, bad = run([b for p in parts for b in p.to_batches()])
    assert [row["_row"] for row in bad] == [*range(10), 14]
    assert verdict.problem is None


def test_no_batches_have_no_repeated_keys() -> None:
    assert len(repeated_keys(list)) == 0


def test_a_constant_that_comes_alive_stops_the_window() -> None:
    verdict, bad = run(rows(demand=[5.0] * 97 + [6.0] * 3), constants={"demand": 5.0})
    check = check_of(verdict, IN_SET, "demand")
    assert (check.effect, check.failed_rows) == ("stop", 3)
    assert check.detail == "constant in the reference, now alive: 3 rows differ"
    assert verdict.problem is not None
    assert f"{IN_SET} on column 'demand'" in verdict.problem
    assert bad == []


def test_a_constant_that_comes_alive_may_be_measured_with_a_warning() -> None:
    spec = spec_of(validation__constant_feature="measure")
    verdict, _ = run(rows(), spec, constants={"demand": 5.0})
    assert (verdict.problem, verdict.accepted) == (None, 100)
    (warning,) = verdict.warnings
    assert f"{IN_SET} on column 'demand'" in warning
    assert not check_of(verdict, IN_SET, "demand").passed


def test_a_constant_that_stays_within_rounding_passes() -> None:
    verdict, _ = run(rows(demand=[0.1 + 0.2] * 100), constants={"demand": 0.3})
    assert verdict.problem is None
    assert check_of(verdict, IN_SET, "demand").passed


def test_a_quarantined_row_does_not_bring_a_constant_alive() -> None:
    verdict, _ = run(rows(demand=[5.0] * 99 + [np.inf]), constants={"demand": 5.0})
    assert verdict.problem is None


def test_too_few_accepted_rows_stop_the_window() -> None:
    verdict, _ = run(rows(9))
    assert verdict.problem is not None
    assert "expect_table_row_count_to_be_between" in verdict.problem
    assert "window.min_rows" in verdict.problem
    assert run([])[0].problem is not None


def test_a_stale_window_stops() -> None:
    early = [WINDOW.start + timedelta(minutes=i) for i in range(100)]
    verdict, _ = run(rows(time=early))
    assert verdict.problem is not None
    assert "expect_column_max_to_be_between on column 'time'" in verdict.problem
    assert run(rows(time=early), spec_of(validation__fresh=1.0))[0].problem is None


def test_a_time_without_zone_is_utc() -> None:
    naive = rows().column("time").cast(pa.timestamp("ns"))
    assert run(rows(time=naive))[0].problem is None


def test_too_many_quarantined_rows_stop_the_window_and_name_the_main_reason() -> None:
    verdict, bad = run(rows(price=[np.nan] * 11 + [1.0] * 89, demand={99: np.inf}))
    assert verdict.quarantined == len(bad) == 12
    assert verdict.problem is not None
    assert f"{NOT_NULL} on column 'price'" in verdict.problem
    assert verdict.reasons.pop(f"{NOT_NULL} on column 'price'") == 11
    assert list(verdict.reasons.values()) == [1]  # the infinite demand
    assert run(rows(price=[np.nan] * 10 + [1.0] * 90))[0].problem is None


DIRTY = rows(
    price={0: np.nan, 17: np.inf, 60: 3.0, 61: 3.0},
    demand={17: np.nan, 33: np.nan},
    key={30: 2, 77: 2, 78: 2},
    up={5: 9, 6: None},
    time={44: None},
)


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 100), min_size=1, max_size=2).map(sorted))
@pytest.mark.usefixtures("tiny_chunks")
def test_where_the_stream_is_cut_makes_no_difference(cuts: list[int]) -> None:
    spec = spec_of(
        expectations=[{"type": BETWEEN, "column": "price", "max_value": 1, "mostly": 0.9}]
    )
    edges = [0, *cuts, 100]
    parts = [DIRTY.slice(a, b - a) for a, b in pairwise(edges)]
    batches = [batch for part in parts for batch in part.combine_chunks().to_batches()]
    constants = {"demand": 5.0}
    whole, bad_of_whole = run(DIRTY, spec, constants)
    cut, bad_of_cut = run(batches, spec, constants)
    assert cut == whole
    assert repr(bad_of_cut) == repr(bad_of_whole)


def test_small_batches_are_joined_before_they_are_judged() -> None:
    sizes = [table.num_rows for table in checked_window._chunks(rows().to_batches(max_chunksize=7))]
    assert sizes == [100]

"""Validation with real Great Expectations and DuckDB; the rows are small tables made here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data import classes
from tasks.data.keys import repeated_keys
from tasks.reports.validation_page import report_html
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.spec.windows import Window
from tasks.validation import checked_window
from tasks.validation.checked_window import WindowOutcome
from tasks.validation.expectations import check_expectations
from tasks.validation.rules import Check

WINDOW = Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC))
NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
UNIQUE = "expect_column_values_to_be_unique"
TYPES = "expect_column_values_to_be_in_type_list"


def spec_of(**changes: Any) -> ModelSpec:
    raw: dict[str, Any] = {
        "model": "tiny",
        "owner": {"name": "desk", "approvers": ["ada"]},
        "source": {"path": "rows.parquet", "time": "time", "key": "key"},
        "window": {"every": "7d", "start": "2024-01-01", "min_rows": 10},
        "features": {"numeric": ["price", "demand"], "categorical": ["region"]},
        "label": {"column": "up", "classes": [0, 1]},
        "training": {"window": "90d"},
    }
    for path, value in changes.items():
        part, _, name = path.partition("__")
        if name:
            raw.setdefault(part, {})[name] = value
        else:
            raw[part] = value
    return ModelSpec.model_validate(raw)


def rows(n: int = 100, **changes: Any) -> pa.Table:
    step = (WINDOW.end - WINDOW.start) / n
    columns: dict[str, Any] = {
        "time": pa.array([WINDOW.start + i * step for i in range(n)], pa.timestamp("us", "UTC")),
        "key": list(range(n)),
        "price": np.linspace(0, 1, n),
        "demand": np.linspace(5, 9, n),
        "region": ["north", "south"] * (n // 2) + ["north"] * (n % 2),
        "up": [0, 1] * (n // 2) + [0] * (n % 2),
    }
    for name, change in changes.items():
        if isinstance(change, dict):
            values = list(columns[name])
            for place, value in change.items():
                values[place] = value
            columns[name] = values
        else:
            columns[name] = change
    return pa.table(columns)


def run(
    table: pa.Table | list[pa.RecordBatch],
    spec: ModelSpec | None = None,
    constants: Mapping[str, float] | None = None,
) -> tuple[WindowOutcome, list[dict[str, Any]]]:
    """Validate as the monitor does; return the verdict and the quarantined rows."""
    spec = spec or spec_of()
    batches = table.to_batches() if isinstance(table, pa.Table) else table
    key = spec.source.key
    there = [b.select([key] if key in b.schema.names else []) for b in batches]
    repeated = repeated_keys(lambda: there)
    bad: list[pa.Table] = []
    verdict = checked_window.judge_window(
        spec,
        WINDOW,
        iter(batches),
        repeated=repeated,
        constants=constants or {},
        quarantine=bad.append,
    )
    return verdict, [row for part in bad for row in part.to_pylist()]


def check_of(verdict: WindowOutcome, expectation: str, column: str | None = None) -> Check:
    (found,) = (c for c in verdict.checks if (c.expectation, c.column) == (expectation, column))
    return found


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge each batch by itself instead of joining small ones."""
    monkeypatch.setattr(checked_window, "CHUNK_ROWS", 1)


def test_a_good_window_is_accepted_whole() -> None:
    verdict, bad = run(rows())
    assert (verdict.rows, verdict.accepted, verdict.quarantined) == (100, 100, 0)
    assert verdict.problem is None
    assert verdict.warnings == ()
    assert bad == []
    assert all(check.passed for check in verdict.checks)


def test_a_missing_column_ends_the_stream_and_is_named() -> None:
    def endless() -> Iterator[pa.RecordBatch]:
        yield rows().drop_columns(["demand"]).to_batches()[0]
        pytest.fail("read on after a missing column")

    def first_half() -> Iterator[pa.RecordBatch]:
        yield from rows().to_batches()
        yield from endless()

    for stream, read in ((endless(), 100), (first_half(), 200)):
        # A second schema starts a new chunk, so the third batch is never asked for.
        batches = iter([next(stream) for _ in range(read // 100)])
        verdict = checked_window.judge_window(
            spec_of(), WINDOW, batches, repeated=pa.nulls(0), constants={}, quarantine=print
        )
        assert verdict.problem is not None
        assert "expect_column_to_exist on column 'demand'" in verdict.problem
        assert (verdict.rows, verdict.accepted) == (read, 0)
        assert not check_of(verdict, "expect_column_to_exist", "demand").passed


def test_a_column_that_only_slices_name_may_be_missing_and_is_warned_of() -> None:
    over = [{"column": "shop"}, {"column": "demand", "edges": [7]}]
    spec = spec_of(gates={"hinge_loss": {"at_most": 1}, "slices": {"over": over}})
    verdict, _ = run(rows(), spec)
    assert (verdict.problem, verdict.accepted) == (None, 100)
    assert check_of(verdict, "expect_column_to_exist", "shop").effect == "warn"
    assert "shop" in verdict.warnings[0]
    without, _ = run(rows().drop_columns(["demand"]), spec)
    assert "column 'demand'" in str(without.problem)


def test_a_missing_key_column_is_named_too() -> None:
    verdict, _ = run(rows().drop_columns(["key"]))
    assert verdict.problem is not None
    assert "expect_column_to_exist on column 'key'" in verdict.problem


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("price", ["0.5"] * 100, "string"),
        ("time", ["2024-01-01"] * 100, "string"),
        ("region", [0.5] * 100, "double"),
        ("key", [[1]] * 100, "list"),
    ],
)
def test_a_wrong_type_stops_the_window(column: str, values: list[Any], found: str) -> None:
    verdict, bad = run(rows(**{column: values}))
    assert verdict.problem is not None
    assert f"{TYPES} on column {column!r}" in verdict.problem
    assert found in check_of(verdict, TYPES, column).detail
    assert bad == []


def test_a_type_that_changes_within_the_window_stops_it() -> None:
    text = rows(price=["x"] * 100).to_batches()
    verdict, _ = run([*rows().to_batches(), *text])
    assert verdict.problem is not None
    assert f"{TYPES} on column 'price'" in verdict.problem


@pytest.mark.parametrize("kind", [pa.int32(), pa.bool_(), pa.float32(), pa.decimal128(24, 2)])
def test_numbers_may_come_in_any_numeric_type(kind: pa.DataType) -> None:
    verdict, bad = run(rows(price=pa.array([0, 1] * 49 + [1, None]).cast(kind)))
    assert verdict.problem is None
    assert [row["_row"] for row in bad] == [99]


def test_an_unknown_class_is_quarantined_and_an_empty_label_is_not() -> None:
    verdict, bad = run(rows(up={3: 7, 4: None}))
    assert (verdict.accepted, verdict.problem) == (99, None)
    assert [(row["_row"], row["_reason"]) for row in bad] == [(3, f"{IN_SET} on column 'up'")]
    assert check_of(verdict, IN_SET, "up").effect == "quarantine"


def test_labels_that_are_a_new_class_are_named_with_what_to_do() -> None:
    long = "x" * 60
    labels = ["0", "1", "new\n", long, "rare"]
    up = np.repeat(labels, [30, 45, 12, 10, 3])
    verdict, _ = run(rows(up=up), spec_of(validation={"max_quarantined": 0.5}))
    told = (
        f"label 'new\\n' in 12 rows, label '{long[:40]}…' in 10 rows, another label in 3 rows is "
        "no class of the spec; add a new class to label.classes and retrain, correct a wrong "
        "label at its source"
    )
    assert verdict.warnings == (told,)
    assert verdict.quarantined == 25
    assert check_of(verdict, IN_SET, "up").detail.endswith(f"25 of 100 rows fail: {told}")
    page = report_html(spec_of(), WINDOW, verdict, model_version=3, data_digest="d1")
    assert "in 12 rows" in page
    assert "rare" not in page
    stopped, _ = run(rows(up=up))
    assert "most of them by" in str(stopped.problem)
    assert "label 'new\\n' in 12 rows" in str(stopped.problem)


def test_labels_as_many_as_rows_are_no_classes_and_none_is_named(tiny_chunks: None) -> None:
    strangers = classes.Strangers()
    for part in range(3):
        texts = [f"secret {part}-{i}" for i in range(500)] + ["often"] * 20
        strangers.count(pa.chunked_array([texts]))
    assert strangers.told.startswith("a label in 1,560 rows is no class of the spec; add")
    few = classes.Strangers()
    few.count(pa.chunked_array([[2.0] * 11, [3.5] * 9]))
    assert few.told.startswith("label '2' in 11 rows, another label in 9 rows is no class")


@pytest.mark.parametrize("labels", [[False, True] * 50, [0.0, 1.0] * 50, [None] * 100])
def test_labels_may_be_bool_float_or_wholly_unknown(labels: list[Any]) -> None:
    assert run(rows(up=labels))[0].accepted == 100


@pytest.mark.parametrize("values", [np.full(100, np.nan), pa.nulls(100)])
def test_a_column_that_is_all_missing_stops_the_window_by_name(values: Any) -> None:
    verdict, bad = run(rows(price=values))
    assert verdict.accepted == 0
    assert len(bad) == 100
    assert verdict.problem is not None
    assert f"{NOT_NULL} on column 'price'" in verdict.problem


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
    assert run(rows(price=[np.nan] * 10 + [1.0] * 90))[0].problem is None


def own(**expectation: Any) -> ModelSpec:
    return spec_of(expectations=[expectation])


def test_an_own_expectation_quarantines_the_rows_that_fail() -> None:
    spec = own(type=BETWEEN, column="price", min_value=0, max_value=1)
    verdict, bad = run(rows(price={2: 1.5, 9: -1.0}), spec)
    assert [row["_row"] for row in bad] == [2, 9]
    (check,) = (c for c in verdict.checks if c.origin == "spec")
    assert (check.failed_rows, check.effect) == (2, "quarantine")
    assert "min_value 0, max_value 1" in check.detail


@pytest.mark.usefixtures("tiny_chunks")
@pytest.mark.parametrize(("failing", "stops"), [(5, False), (6, True)])
def test_mostly_is_judged_over_the_whole_window_and_keeps_the_rows(
    failing: int, stops: bool
) -> None:
    spec = own(type=BETWEEN, column="price", max_value=1, mostly=0.95)
    table = rows(price=[2.0] * failing + [0.5] * (100 - failing))
    verdict, bad = run(table.to_batches(max_chunksize=50), spec)
    assert bad == []
    (check,) = (c for c in verdict.checks if c.origin == "spec")
    assert (check.failed_rows, check.effect, check.passed) == (failing, "stop", not stops)
    assert (verdict.problem is not None) is stops
    assert not stops or f"{BETWEEN} on column 'price'" in str(verdict.problem)


def test_an_own_expectation_may_repeat_a_derived_one() -> None:
    verdict, bad = run(rows(price={1: None}), own(type=NOT_NULL, column="price", mostly=0.5))
    assert [row["_row"] for row in bad] == [1]
    assert [
        c.failed_rows for c in verdict.checks if c.expectation == NOT_NULL and c.failed_rows
    ] == [1, 1]


def test_pairs_of_columns_and_dates_can_be_expected() -> None:
    pair = {
        "type": "expect_column_pair_values_a_to_be_greater_than_b",
        "column_A": "demand",
        "column_B": "price",
    }
    since = {"type": BETWEEN, "column": "time", "min_value": datetime(2024, 1, 1, 1, tzinfo=UTC)}
    verdict, bad = run(rows(demand={50: 0.0}), spec_of(expectations=[pair, since]))
    assert [row["_row"] for row in bad] == [0, 50]
    assert verdict.problem is None
    pair["column_B"] = "gone"
    assert "'gone'" in str(run(rows(), spec_of(expectations=[pair]))[0].problem)


def test_an_expectation_that_raises_stops_the_window_without_a_value() -> None:
    table = rows(region=["MARKER"] * 100)
    verdict, bad = run(table, own(type=BETWEEN, column="region", min_value=1))
    assert verdict.problem is not None
    assert f"{BETWEEN} on column 'region': could not be judged (TypeError)" in verdict.problem
    assert "MARKER" not in repr(verdict)
    assert (verdict.accepted, bad) == (0, [])


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        ({"type": "expect_column_values_to_be_betwen"}, ["no such expectation", BETWEEN]),
        (
            {"type": "expect_column_mean_to_be_between", "column": "price", "max_value": 1},
            ["does not judge each row"],
        ),
        ({"type": UNIQUE, "column": "price"}, ["does not judge each row"]),
        (
            {"type": "expect_column_values_to_match_like_pattern", "column": "region"},
            ["does not judge each row", "did you mean"],
        ),
    ],
)
def test_an_expectation_that_cannot_be_used_is_refused(
    expectation: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(SpecError) as caught:
        check_expectations(own(**expectation))
    for word in ["expectations.0.type", repr(expectation["type"]), *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"column": "price", "min_valu": 1}, "expectations.0.min_valu: 1: unknown argument"),
        ({"min_value": 1}, "expectations.0.column"),
        ({"column": "price"}, "expectations.0.type"),
        ({"column": "price", "min_value": [1]}, "expectations.0.min_value: [1]"),
        ({"column": "price", "min_value": 1, "result_format": "COMPLETE"}, "result_format"),
    ],
)
def test_a_wrong_argument_is_refused_and_named(arguments: dict[str, Any], path: str) -> None:
    spec = own(type=BETWEEN, **arguments)
    with pytest.raises(SpecError, match="1 mistake") as caught:
        check_expectations(spec)
    assert path in str(caught.value)
    with pytest.raises(SpecError):
        run(rows(), spec)


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


MARKER, NUMBER = "hush-hush-4711", 86753.09


def test_no_value_of_a_row_leaves_the_quarantine(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(
        expectations=[
            {"type": "expect_column_value_lengths_to_equal", "column": "region", "value": 5},
            {"type": BETWEEN, "column": "region", "min_value": 1},
        ]
    )
    table = rows(
        key=[f"{MARKER}-{i % 99}" for i in range(100)],
        region={3: MARKER},
        price={4: NUMBER},
        up={5: 47110815},
    )
    for wanted in (spec, spec_of(expectations=spec.expectations[:1]), spec_of()):
        verdict, _ = run(table, wanted, constants={"price": 0.0})
        page = report_html(wanted, WINDOW, verdict, model_version=3, data_digest="d1")
        spoken = "".join(capfd.readouterr())
        for text in (repr(verdict), page, caplog.text, spoken):
            assert MARKER not in text
            assert str(NUMBER) not in text
            assert "47110815" not in text


def test_the_report_names_the_failures_first_and_needs_nothing_else() -> None:
    spec = spec_of()
    verdict, _ = run(rows(price={5: np.inf}), spec)
    page = report_html(spec, WINDOW, verdict, model_version=5, data_digest="abc123")
    for text in ("tiny", str(WINDOW).replace("[", "["), "version 5", "abc123", spec.digest, "99"):
        assert text in page
    assert page.index("Failed checks") < page.index("Passed checks")
    assert "http" not in page
    assert "<script" not in page


def test_the_report_escapes_what_the_spec_says() -> None:
    spec = spec_of(features={"numeric": ["<b>x</b>"]})
    verdict, _ = run(rows(), spec)
    page = report_html(spec, WINDOW, verdict, model_version=None, data_digest="d")
    assert "<b>x</b>" not in page
    assert "model version" not in page


def test_a_window_without_rows_has_a_report() -> None:
    problem = "rows.parquet holds no row for the window"
    verdict = WindowOutcome(
        rows=0, accepted=0, quarantined=0, checks=(), problem=problem, warnings=()
    )
    page = report_html(spec_of(), WINDOW, verdict, model_version=None, data_digest="d")
    assert "rows.parquet holds no row" in page

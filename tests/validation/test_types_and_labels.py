"""Columns of a window: missing, of another type, or labels that are no class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.data import classes
from tasks.reports.validation_page import report_html
from tasks.validation import checked_window
from tests.support.checked import IN_SET, NOT_NULL, TYPES, WINDOW, check_of, rows, run, spec_of


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

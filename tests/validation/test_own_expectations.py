"""Expectations of the owner: judged with the derived ones, refused where they cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError
from tasks.validation.expectations import check_expectations
from tests.support.checked import BETWEEN, NOT_NULL, UNIQUE, rows, run, spec_of


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

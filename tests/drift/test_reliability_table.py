"""The reliability table: worked out by hand, mergeable in any order, no row in it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import reduce
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.drift.reliability_table import (
    TABLE_BINS,
    ClassSums,
    ReliabilityTable,
    reliability_from_json,
    reliability_to_json,
)

NAMES = ("a", "b", "c")


def two(positive: Any) -> Any:
    p = np.asarray(positive, dtype=np.float64)
    return np.column_stack([1 - p, p])


@st.composite
def tables(draw: Any) -> ReliabilityTable:
    n = draw(st.integers(0, 12))
    p = draw(hnp.arrays(np.float64, n, elements=st.floats(0, 1)))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 1)))
    return ReliabilityTable.of(two(p), y, draw(hnp.arrays(np.float64, n, elements=st.floats(0, 9))))


@st.composite
def tables_of_three(draw: Any) -> ReliabilityTable:
    n = draw(st.integers(0, 12))
    p = draw(hnp.arrays(np.float64, (n, 3), elements=st.floats(0.01, 1)))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 2)))
    weight = draw(hnp.arrays(np.float64, n, elements=st.floats(0, 9)))
    known = draw(st.sampled_from([NAMES, NAMES, ()]))  # an older table knows no classes
    return ReliabilityTable.of(p / p.sum(axis=1, keepdims=True), y, weight, known)


def same(left: ReliabilityTable, right: ReliabilityTable) -> bool:
    if set(left.classes) != set(right.classes):
        return False

    def plain(table: ReliabilityTable) -> list[Any]:
        found = {f.name: getattr(table, f.name) for f in fields(table)}
        classes = found.pop("classes")
        return [*found.values(), *([*vars(classes[n]).values()] for n in sorted(classes))]

    pairs = zip(plain(left), plain(right), strict=True)
    return all(np.allclose(a, b, rtol=1e-9, atol=1e-9) for a, b in pairs)


@given(st.lists(st.one_of(tables(), tables_of_three()), min_size=3, max_size=3))
def test_tables_merge_in_any_order_and_grouping(parts: list[ReliabilityTable]) -> None:
    a, b, c = parts
    assert same(a.merge(b.merge(c)), a.merge(b).merge(c))
    whole = reduce(ReliabilityTable.merge, parts)
    assert all(same(whole, reduce(ReliabilityTable.merge, order)) for order in permutations(parts))
    assert same(a, a.merge(ReliabilityTable()))


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)), st.data(), st.integers(0)
)
def test_parts_merged_are_the_table_of_all_rows(p: Any, data: Any, seed: int) -> None:
    y = np.random.default_rng(seed).integers(0, 2, len(p))
    cut = data.draw(st.integers(0, len(p)))
    parts = [ReliabilityTable.of(two(p[s]), y[s]) for s in (slice(cut), slice(cut, None))]
    assert same(parts[0].merge(parts[1]), ReliabilityTable.of(two(p), y))


@given(tables())
def test_neither_gap_is_larger_than_the_calibration_error(table: ReliabilityTable) -> None:
    if table.weight.sum():
        worst = max(abs(table.overconfidence), abs(table.bias))
        assert worst <= table.calibration_error + 1e-9


def test_figures_are_what_a_hand_works_out() -> None:
    # Said 90 % four times, right three times; said 20 % twice, happened once.
    table = ReliabilityTable.of(two([0.9] * 4 + [0.2] * 2), np.array([1, 1, 1, 0, 1, 0]))
    assert table.brier == pytest.approx((3 * 0.01 + 0.81 + 0.64 + 0.04) / 6)
    assert table.calibration_error == pytest.approx((4 * 0.15 + 2 * 0.3) / 6)
    assert table.overconfidence == pytest.approx((4 * 0.15 + 2 * 0.3) / 6)
    assert table.bias == pytest.approx((4 * 0.15 - 2 * 0.3) / 6)
    assert table.effective_rows == 6


def test_of_more_than_two_classes_the_top_one_counts() -> None:
    chance = np.array([[0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
    table = ReliabilityTable.of(chance, np.array([0, 1]))
    assert table.top
    assert table.overconfidence == pytest.approx((0.4 + 0.8) / 2 - 0.5)
    assert table.brier == pytest.approx((0.36 + 0.64) / 2)


def test_weights_weigh_and_a_weight_of_zero_is_no_row() -> None:
    y = np.array([1, 0, 1])
    weighed = ReliabilityTable.of(two([0.9, 0.9, 0.3]), y, np.array([2.0, 0.0, 1.0]))
    twice = ReliabilityTable.of(two([0.9, 0.9, 0.3]), np.array([1, 1, 1]))
    for name in ("brier", "calibration_error", "overconfidence", "bias"):
        assert getattr(weighed, name) == pytest.approx(getattr(twice, name))
    assert weighed.effective_rows == pytest.approx(9 / 5)


def test_each_of_three_classes_has_the_sums_that_a_hand_works_out() -> None:
    chance = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    table = ReliabilityTable.of(chance, np.array([0, 1]), np.array([1.0, 3.0]), NAMES)
    assert table.classes["b"] == ClassSums(
        pytest.approx(0.3 + 3 * 0.1), 3.0, pytest.approx(0.09 + 3 * 0.81)
    )
    assert table.bias_of("b") == pytest.approx((0.6 - 3) / 4)
    assert table.deviation_of("b") == pytest.approx(np.sqrt(2.52 / 4 - 0.6**2))
    assert table.rows_of("b") == pytest.approx(3 / 4 * 1.6)
    assert sum(table.bias_of(name) for name in NAMES) == pytest.approx(0)


def test_of_two_classes_the_bias_is_all_there_is_to_know() -> None:
    assert not ReliabilityTable.of(two([0.9, 0.2]), np.array([1, 0]), classes=("no", "yes")).classes


@given(tables_of_three())
def test_a_table_from_before_classes_were_kept_is_read_and_knows_none(
    table: ReliabilityTable,
) -> None:
    older = {k: v for k, v in reliability_to_json(table).items() if k != "classes"}
    read = reliability_from_json(json.loads(json.dumps(older)))
    assert not read.classes
    assert same(read, replace(table, classes={}))
    if table.rows.any():
        assert not read.merge(table).classes


@given(st.one_of(tables(), tables_of_three()))
def test_a_table_comes_back_from_json_as_it_was(table: ReliabilityTable) -> None:
    assert same(reliability_from_json(json.loads(json.dumps(reliability_to_json(table)))), table)


def test_a_full_table_takes_three_kilobytes() -> None:
    rng = np.random.default_rng(1)
    table = ReliabilityTable.of(
        two(rng.random(100_000)), rng.integers(0, 2, 100_000), rng.random(100_000)
    )
    raw = json.dumps(reliability_to_json(table))
    assert len(reliability_to_json(table)["bins"]) == TABLE_BINS
    assert len(raw) < 3 * 1024

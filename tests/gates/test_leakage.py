"""Leaks are found, and data that only looks like one is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.arrays import Ints
from tasks.classifier.cut import cut_rows
from tasks.classifier.training_rows import Facts
from tasks.gates import leakage

ROWS = 1000
CUT = cut_rows(ROWS, calibrate=0.15, judge=0.2)
RNG = np.random.default_rng(0)
LABEL: Ints = RNG.integers(0, 2, ROWS)


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": RNG.normal(size=ROWS), "z": RNG.normal(size=ROWS), **columns})


def facts(key: Any = None, time: Any = None) -> Facts:
    times = np.arange(ROWS) if time is None else time
    keys = np.array([f"k{i}" for i in range(ROWS)], dtype=object) if key is None else key
    return Facts(times, keys, {})


def test_slices_in_the_order_of_time_pass_also_where_times_are_the_same() -> None:
    for time in (np.arange(ROWS), np.zeros(ROWS, dtype=int)):
        assert leakage.time_order(time, CUT)[0].passed
    shuffled = np.arange(ROWS)
    shuffled[[3, 900]] = [900, 3]
    (result,) = leakage.time_order(shuffled, CUT)
    assert not result.passed
    assert "older than one of the slice before" in result.reason


def separating(columns: pd.DataFrame, label: Ints = LABEL, allowed: Any = ()) -> Any:
    numeric = [name for name in columns if columns[name].dtype.kind == "f"]
    (result,) = leakage.separating_features(
        columns, label, int(label.max()) + 1, numeric, tuple(allowed)
    )
    return result


@pytest.mark.parametrize(
    "leak",
    [
        LABEL * 2.0 + RNG.random(ROWS),
        -(LABEL * 2.0) + RNG.random(ROWS),
        np.where(LABEL == 1, "paid", "open"),
        np.where(LABEL == 1, "paid", np.where(RNG.random(ROWS) < 0.5, "open", "late")),
    ],
    ids=["above", "below", "words", "several words"],
)
def test_a_feature_that_tells_the_classes_apart_alone_is_named(leak: Any) -> None:
    result = separating(frame(leak=leak))
    assert not result.passed
    assert result.reason.startswith("leak tells the classes apart alone")
    assert "gates.may_separate" in result.reason
    assert separating(frame(leak=leak), allowed=["leak"]).passed


def test_one_row_on_the_other_side_makes_it_a_good_feature_and_no_leak() -> None:
    good = LABEL * 2.0 + RNG.random(ROWS)
    good[np.flatnonzero(LABEL == 0)[0]] = 2.5
    assert separating(frame(good=good)).passed
    names = np.array([f"person {i}" for i in range(ROWS)])  # each word has one row: says nothing
    assert separating(frame(name=names, constant=np.full(ROWS, "a"))).passed


def test_three_classes_are_told_apart_by_two_thresholds() -> None:
    label = RNG.integers(0, 3, ROWS)
    assert not separating(frame(leak=label + RNG.random(ROWS) / 2), label).passed
    assert separating(frame(half=np.minimum(label, 1) + RNG.random(ROWS) / 2), label).passed


def test_of_few_rows_nothing_is_said() -> None:
    label = np.zeros(ROWS, dtype=np.int64)
    label[:19] = 1
    assert separating(frame(leak=label * 2.0), label).verdict == "not_judged"


def test_a_judged_row_with_the_key_of_a_fitted_one_is_a_leak() -> None:
    keys = np.array([f"k{i}" for i in range(ROWS)], dtype=object)
    assert leakage.shared_keys(facts(keys), CUT)[0].passed
    keys[900] = keys[3]
    (result,) = leakage.shared_keys(facts(keys), CUT)
    assert not result.passed
    assert result.reason == "1 judged rows have the key of a fitted row; land each row once"


def test_a_customer_who_is_scored_every_week_is_no_leak_but_the_same_hour_twice_is() -> None:
    customers = np.arange(ROWS) % 100
    assert leakage.shared_keys(facts(customers), CUT)[0].passed
    times = np.arange(ROWS)
    times[900] = times[0]
    assert not leakage.shared_keys(facts(customers, times), CUT)[0].passed


def test_keys_that_were_not_given_are_not_judged() -> None:
    known = Facts(np.arange(ROWS), None, {})
    assert leakage.shared_keys(known, CUT)[0].verdict == "not_judged"


def test_one_copied_row_is_found_by_its_content() -> None:
    rows = frame()
    assert leakage.shared_content(rows, LABEL, CUT)[0].passed
    rows.iloc[950] = rows.iloc[10]
    label = LABEL.copy()
    label[950] = label[10]
    (result,) = leakage.shared_content(rows, label, CUT)
    assert not result.passed
    assert (
        result.reason
        == "judged rows that equal a fitted one: 1; chance explains 0; land each row once"
    )
    label[950] = 1 - label[10]
    assert leakage.shared_content(rows, label, CUT)[0].passed


def test_few_combinations_of_categories_are_no_leak() -> None:
    words = pd.DataFrame({n: RNG.choice(["a", "b", "c"], ROWS) for n in ("p", "q", "r")})
    (result,) = leakage.shared_content(words, LABEL, CUT)
    assert (result.verdict, result.passed) == ("not_judged", True)
    assert "content names no row" in result.reason


def test_rare_twins_are_expected_and_many_are_not() -> None:
    rows, label = frame(), LABEL.copy()
    rows.iloc[1], label[1] = rows.iloc[0], label[0]
    rows.iloc[801], label[801] = rows.iloc[5], label[5]
    (result,) = leakage.shared_content(rows, label, CUT)
    assert result.passed
    for place in range(810, 840):
        rows.iloc[place], label[place] = rows.iloc[place - 800], label[place - 800]
    assert not leakage.shared_content(rows, label, CUT)[0].passed

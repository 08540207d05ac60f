"""Summaries: mergeable, exact, small, and without a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.classifier.finite import NotFinite
from tasks.drift.grid import Grid
from tasks.drift.summary import merge, merge_all, summarise
from tasks.drift.summary_json import summary_to_json
from tests.support.summaries import CLASSES, GRID, assert_same, batches, of


@settings(max_examples=40, deadline=None)
@given(batches(), batches())
def test_a_merge_is_commutative(one: Any, two: Any) -> None:
    assert_same(merge(of(*one), of(*two)), merge(of(*two), of(*one)))


@settings(max_examples=40, deadline=None)
@given(batches(), batches(), batches())
def test_a_merge_is_associative(one: Any, two: Any, three: Any) -> None:
    a, b, c = of(*one), of(*two), of(*three)
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))


@settings(max_examples=40, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=4))
def test_a_merge_is_the_summary_of_the_rows_together(parts: list[Any]) -> None:
    together = of(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    assert_same(merge_all([of(*part) for part in parts]), together)


@settings(max_examples=40, deadline=None)
@given(batches())
def test_an_empty_batch_adds_nothing(batch: Any) -> None:
    empty = of(np.empty(0), np.empty(0, dtype=np.int64))
    summary = of(*batch)
    assert (
        summary_to_json(merge(summary, empty))
        == summary_to_json(summary)
        == summary_to_json(merge(empty, summary))
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(batches(), min_size=1, max_size=4))
def test_the_spread_of_a_classs_margins_is_kept_however_windows_were_merged(
    parts: list[Any],
) -> None:
    whole = merge_all([of(d, y) for d, y, *_ in parts])
    for index, name in enumerate(CLASSES):
        margins = np.concatenate([(d if index else -d)[y == index] for d, y, *_ in parts])
        losses = whole.classes[name]
        assert losses.squared_margin == pytest.approx(float(margins @ margins))
        if len(margins):
            assert losses.margin_variance == pytest.approx(np.var(margins), abs=1e-9)


def test_a_summary_of_known_rows() -> None:
    decision = np.array([-2.0, -0.5, 0.5, 2.0, 9.0])
    summary = of(decision, np.array([0, 1, 1, 0, -1]))
    assert (summary.rows, summary.labelled, summary.inside) == (5, 4, 2)
    # The margins are 2, -0.5, 0.5 and -2.
    assert summary.losses.hinge_loss == (0 + 1.5 + 0.5 + 3) / 4
    assert summary.losses.hinge_variance == pytest.approx(np.var([0, 1.5, 0.5, 3]))
    assert (summary.losses.violation_rate, summary.losses.error_rate) == (0.75, 0.5)
    assert {name: (c.rows, c.errors) for name, c in summary.classes.items()} == {
        "no": (2, 1),
        "yes": (2, 1),
    }
    assert summary.scores.counts.sum() == 5
    assert summary.scores.counts[-1] == 1  # 9 lies above the grid
    assert summary.features["x"].deviation == pytest.approx(np.std(decision, ddof=1))


def test_rows_without_a_weight_leave_the_losses_and_stay_in_the_distributions() -> None:
    decision, label = np.array([-2.0, 0.5, 0.25]), np.array([1, 1, 0])
    weighted = of(decision, label, weight=np.array([0.0, 2.0, 2.0]))
    assert (weighted.rows, weighted.labelled, weighted.margins.moments.n) == (3, 3, 3)
    assert weighted.losses.effective_rows == 2
    assert weighted.losses.means == of(decision[1:], label[1:]).losses.means


def test_more_than_two_classes_are_summarised_by_their_leads() -> None:
    decision = np.array([[2.0, 0.5, 0.0], [0.0, 0.25, 1.0]])
    summary = summarise(GRID, decision, np.array([0, 1]), ("a", "b", "c"), {})
    assert summary.scores.moments.mean == pytest.approx((1.5 + 0.75) / 2)
    assert summary.margins.moments.mean == pytest.approx((1.5 - 0.75) / 2)
    assert [losses.rows for losses in summary.classes.values()] == [1, 1, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.1e150])
def test_a_decision_that_is_not_finite_or_beyond_all_measure_is_an_error(bad: float) -> None:
    with pytest.raises(
        NotFinite, match=r"values of 1 row\(s\) are not finite, or beyond 1e\+150; check"
    ):
        of(np.array([0.0, bad]), np.array([0, 1]))


def test_summaries_on_different_grids_do_not_merge() -> None:
    rows = np.array([0.5]), np.array([1])
    with pytest.raises(ValueError, match="different grids"):
        merge(of(*rows), of(*rows, grid=Grid.even(-6.0, 6.0, bins=32)))

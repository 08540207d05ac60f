"""Sums of losses: by class, weighted, and the rates of known rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.classifier.finite import NotFinite
from tasks.drift.loss_sums import Losses
from tests.support.summaries import batches, of

finite = st.floats(-9, 9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(finite, st.integers(1, 5)), min_size=1, max_size=30))
def test_a_weight_counts_like_as_many_rows(rows: list[tuple[float, int]]) -> None:
    margins, times = (np.array(column) for column in zip(*rows, strict=True))
    once = Losses.of(margins, times.astype(np.float64))
    repeated = Losses.of(np.repeat(margins, times))
    # All but as how many rows they count: repeated rows tell nothing new.
    mine, theirs = (replace(s.means, effective_rows=0) for s in (once, repeated))
    assert vars(mine) == pytest.approx(vars(theirs), rel=1e-9, abs=1e-9)
    assert once.hinge_variance == pytest.approx(repeated.hinge_variance, rel=1e-9, abs=1e-9)
    assert (once.rows, once.weight) == (len(rows), repeated.rows)
    assert 1 - 1e-9 <= once.effective_rows <= once.rows + 1e-9


@settings(max_examples=50, deadline=None)
@given(batches())
def test_the_losses_of_the_classes_add_up_to_the_whole(batch: Any) -> None:
    summary = of(*batch)
    together = Losses()
    for losses in summary.classes.values():
        together = together.merge(losses)
    assert vars(together) == pytest.approx(vars(summary.losses), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n", [1, 4, 100])
def test_the_loss_tail_ratio_is_1_of_equal_losses_and_most_of_a_single_one(n: int) -> None:
    assert Losses.of(np.full(n, 0.4)).loss_tail_ratio == pytest.approx(1)
    assert Losses.of(np.full(n, 5.0)).loss_tail_ratio == 1
    assert Losses.of(np.array([-7.0, *[1.0] * (n - 1)])).loss_tail_ratio == pytest.approx(n**0.5)


def test_the_means_of_known_margins() -> None:
    means = vars(Losses.of(np.array([2.0, -0.5, 0.5, -2.0])).means)
    assert means == pytest.approx(
        {
            "accuracy": 0.5,
            "hinge_loss": 1.25,
            "violation_rate": 0.75,
            "error_rate": 0.5,
            "squared_hinge": (1.5**2 + 0.5**2 + 3**2) / 4,
            "margin": 0,
            "unsigned_margin": 1.25,
            "loss_tail_ratio": (11.5 / 4) ** 0.5 / 1.25,
            "effective_rows": 4,
        }
    )


def test_no_labelled_row_is_worth_no_effective_one() -> None:
    assert Losses().effective_rows == Losses.of(np.empty(0)).effective_rows == 0


def test_losses_whose_squares_cannot_be_summed_are_named() -> None:
    far, one = np.full(3, -1e150), np.ones(3, dtype=np.int64)
    assert of(far, one).losses.hinge_loss == 1e150
    with pytest.raises(NotFinite, match=r"squared losses or sample weights .* source\.weight"):
        of(far, one, weight=np.full(3, 1e10))
    with pytest.raises(NotFinite, match="sample weights"):
        of(far / 1e150, one, weight=np.full(3, 1e160))


def test_one_huge_weight_is_worth_one_row() -> None:
    summary = of(np.zeros(9), np.ones(9, dtype=np.int64), weight=np.append(np.ones(8), 1e100))
    assert summary.losses.effective_rows == pytest.approx(1)
    nothing = of(np.zeros(9), np.ones(9, dtype=np.int64), weight=np.full(9, 5e-324))
    assert nothing.losses.effective_rows == 0

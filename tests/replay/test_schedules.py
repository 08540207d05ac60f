"""Schedules in hindsight: who rules when, and which retrains would have been best."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.arrays import Floats, Ints
from tasks.classifier.training import TrainingError
from tasks.replay import schedules
from tasks.replay.schedules import Matrix, best
from tests.support.past import HOURS, past, rows, spec


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Floats, Ints]:
    """Draw accuracies of models in windows, and the windows from which on each could rule."""
    windows = draw(st.integers(1, 9))
    later = draw(st.sets(st.integers(1, max(windows - 1, 1)), max_size=windows - 1))
    starts = np.array([0, *sorted(later)])
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    accuracy = rng.random((len(starts), windows))
    accuracy[:, rng.random(windows) < 0.1] = np.nan  # no labels
    accuracy[np.arange(windows) < starts[:, None]] = np.nan
    return accuracy, starts


def of(accuracy: Floats, starts: Ints) -> Matrix:
    rates = np.repeat(accuracy[:, None], 3, axis=1)
    return Matrix(starts, rates, tuple(np.arange(3) for _ in starts), 1)


def total(matrix: Matrix, plan: tuple[int, ...]) -> float:
    rulers = matrix.rulers(plan)
    return float(np.nansum(matrix.rates[rulers, 0, np.arange(len(rulers))]))


@settings(max_examples=100, deadline=None)
@given(matrices())
def test_no_schedule_beats_the_oracle(drawn: tuple[Floats, Ints]) -> None:
    accuracy, starts = drawn
    matrix = of(accuracy, starts)
    plans = best(accuracy, starts, 4)
    assert len(plans) == min(4, len(starts) - 1) + 1
    for count, plan in enumerate(plans):
        assert len(plan) == count
        every = combinations(starts[1:].tolist(), count)
        assert total(matrix, plan) == pytest.approx(max(total(matrix, p) for p in every))


def test_a_model_rules_until_the_next_one_and_stays_where_none_could_be_trained() -> None:
    matrix = of(np.ones((3, 7)), np.array([0, 2, 5]))
    assert matrix.rulers(()).tolist() == [0] * 7
    assert matrix.rulers((2, 5)).tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert matrix.rulers((3, 5)).tolist() == [0, 0, 0, 0, 0, 2, 2]
    assert matrix.possible((3, 5)) == (5,)


def test_a_schedule_on_thinned_models_takes_the_nearest() -> None:
    starts = np.arange(0, 320, 2)
    matrix = Matrix(starts, np.ones((160, 3, 320)), (np.arange(1),) * 160, 2)
    assert matrix.every(1) == tuple(range(2, 320, 2))
    plan = matrix.every(13)
    assert len(plan) == 24
    assert all(abs(at - 13 * k) <= 1 for k, at in enumerate(plan, 1))


@pytest.mark.parametrize(("windows", "expected"), [(1, 1), (160, 1), (161, 2), (321, 3)])
def test_at_most_160_models_are_trained(windows: int, expected: int) -> None:
    assert schedules.stride(windows) == expected
    assert len(range(0, windows, schedules.stride(windows))) <= schedules.MOST_FITS


def test_a_model_knows_nothing_of_the_windows_it_is_scored_on() -> None:
    whole = past(rows(200))
    other = rows(200)
    other["y"][120:] = 1 - other["y"][120:]  # from window 12 on
    turned = schedules.matrix(spec(), past(other), 8, 8 * HOURS)
    straight = schedules.matrix(spec(), whole, 8, 8 * HOURS)
    assert straight.starts.tolist() == list(range(12))
    for model, start in enumerate(straight.starts):
        same = np.nan_to_num(straight.rates[model]), np.nan_to_num(turned.rates[model])
        assert (same[0][:, :4] == same[1][:, :4]).all()
        assert np.isnan(straight.rates[model][:, :start]).all()
        places = straight.trained[model]
        assert places.max() < 10 * (8 + start)
        assert len(places) == 80
    known = straight.rates[0, 0]
    assert turned.rates[0, 0, 4:] == pytest.approx(1 - known[4:])


def test_where_a_class_is_missing_no_model_is_trained_but_the_first_one_must_be() -> None:
    some = rows(200)
    some["y"][100:180] = 1
    matrix = schedules.matrix(spec(), past(some), 8, 8 * HOURS)
    assert 18 not in matrix.starts + 8
    assert len(matrix.trained) == len(matrix.starts) < 12
    some["y"][:80] = 1
    with pytest.raises(TrainingError, match="no row of class 0"):
        schedules.matrix(spec(), past(some), 8, 8 * HOURS)

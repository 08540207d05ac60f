"""Hourly, daily, weekly or monthly windows over the same rows tell the same story."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tasks.replay import trial
from tasks.replay.history import History
from tasks.replay.play import play
from tasks.replay.played import Played
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.support import past
from tests.support.past import HOURS

ROWS, HOURLY, TURN = 40_000, 250, 20_000
MEMORY = 16  # hours of training.window: 4 000 rows
LONG = [1, 2, 4, 8]  # hours of a window, so 250 to 2 000 rows


def spec(hours: int) -> ModelSpec:
    """Return the policy at its defaults; only the windows are as long as asked."""
    return past.spec(
        window={"every": f"{hours}h"},
        latch={"rest": 2},
        training={"window": f"{MEMORY}h"},
    )


@cache
def stream() -> History:
    """Return hours of 250 rows whose rule turns by a third of a circle at half."""
    columns = past.rows(ROWS, hourly=HOURLY)
    x, z = columns["x"][TURN:], columns["z"][TURN:]
    noise = np.random.default_rng(1).normal(scale=0.4, size=ROWS - TURN)
    columns["y"][TURN:] = -x + 0.5 * z + noise > 0
    return past.past(columns)


def grouped(hours: int) -> History:
    """Return the same rows in windows of so many hours."""
    found = stream()
    pairs = zip(found.windows[::hours], found.windows[hours - 1 :: hours], strict=True)
    windows = tuple(Window(a.start, b.end) for a, b in pairs)
    return replace(
        found, windows=windows, edges=found.edges[::hours], problems=(None,) * len(windows)
    )


@cache
def played(hours: int) -> Played:
    return play(spec(hours), grouped(hours), MEMORY // hours, MEMORY * HOURS)


def accuracy(hours: int) -> float:
    """Return the share of right decisions in the last quarter of the rows."""
    mine = played(hours)
    last = [s for s in mine.steps if s.index >= 120 // hours]
    return float(np.mean([mine.rates[s.version - 1, 0, s.index - mine.first] for s in last]))


def test_however_long_windows_are_the_same_rows_end_within_a_point_of_each_other() -> None:
    found = [accuracy(hours) for hours in LONG]
    assert max(found) - min(found) < 0.01
    assert min(found) > 0.85


@pytest.mark.parametrize("hours", LONG)
def test_however_long_windows_are_a_change_is_learnt_and_at_most_one_question_in_vain(
    hours: int,
) -> None:
    retrains = played(hours).retrains
    assert any(r.version is not None for r in retrains)
    assert sum(bool(k.false_alarm) for k in trial.hindsight(played(hours))) <= 1
    # Nobody is asked before the rule turned.
    assert all((r.index + 1) * hours > TURN // HOURLY for r in retrains)

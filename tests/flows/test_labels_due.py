"""Which windows a run measures again for their labels: a few at a time, and in turn all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.flows.late_labels import AT_MOST, due_again
from tasks.ledger.records import Observation
from tasks.spec.model import ModelSpec
from tasks.spec.window_options import WindowGrid
from tests.support.flow import day, window
from tests.support.late import LATE


def observed(number: int, labelled: int | None, spec: ModelSpec = LATE) -> Observation:
    w = window(number)
    figures = {"accepted": 300 if labelled is not None else 0}
    figures |= {} if labelled is None else {"labelled": labelled}
    verdict = "steady" if labelled is not None else "insufficient"
    return Observation(
        model=spec.model,
        version=1,
        window_start=w.start,
        window_end=w.end,
        spec_digest=spec.digest,
        data_digest=f"{number}",
        verdict=verdict,
        reason="",
        pressure=0.5,
        figures=figures,
    )


def days(observations: Sequence[Observation]) -> list[int]:
    return [(o.window_start - day(1)).days + 1 for o in observations]


def test_a_window_is_due_from_the_delay_after_its_end_to_four_times_the_delay_later() -> None:
    seen = [observed(6, labelled=0)]
    looked = [n for n in range(6, 30) if due_again(LATE, seen, window(n))]
    # The 6th ends as the 7th begins: its labels are there when the window of the 8th ends.
    assert looked == list(range(8, 17))


@pytest.mark.parametrize(
    ("labelled", "again"), [(0, True), (299, True), (300, False), (None, True)]
)
def test_what_has_all_its_labels_is_left_alone(labelled: int | None, again: bool) -> None:
    assert days(due_again(LATE, [observed(6, labelled)], window(9))) == [6] * again


def test_the_window_of_the_run_itself_is_not_read_twice() -> None:
    at_once = LATE.model_copy(
        update={"label": LATE.label.model_copy(update={"delay": timedelta()})}
    )
    seen = [observed(n, 0) for n in (6, 7)]
    assert days(due_again(at_once, seen, window(7))) == [6]


def test_time_is_that_of_the_newest_window_and_so_an_old_run_looks_at_what_is_due_too() -> None:
    seen = [observed(n, 0) for n in (6, 7, 12)]
    assert days(due_again(LATE, seen, window(4))) == [6, 7]


@given(st.integers(1, 90), st.integers(1, 40), st.sampled_from(["1d", "7d", "90m"]))
def test_each_run_looks_at_a_few_windows_and_in_turn_at_all(
    count: int, delay: int, every: str
) -> None:
    grid = WindowGrid.model_validate({"every": every, "start": "2026-01-01"})
    label = LATE.label.model_copy(update={"delay": delay * grid.every})
    spec = LATE.model_copy(update={"window": grid, "label": label})
    seen = [
        replace(
            observed(1, 0),
            window_start=grid.start + n * grid.every,
            window_end=grid.start + (n + 1) * grid.every,
        )
        for n in range(count)
    ]
    newest = seen[-1].window.end
    waiting = {o.window for o in seen if timedelta(0) <= newest - o.window_end - label.delay}
    waiting = {w for w in waiting if newest - w.end - label.delay <= 4 * label.delay}
    runs = [due_again(spec, seen, o.window) for o in seen[-1 : -count // AT_MOST - 2 : -1]]
    assert all(len(run) <= AT_MOST for run in runs)
    own = {o.window for o in seen[-1 : -count // AT_MOST - 2 : -1]}
    assert {o.window for run in runs for o in run} >= waiting - own

"""What nobody knows of a window is named: nothing said, not measured, no labels, late, again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import Observation
from tasks.reports.unseen_windows import Blank, blanks
from tests.support.stood import MakeSpec, at, seen

HOUR = timedelta(hours=1)


def _times(*after: tuple[Observation, timedelta]) -> RecordedTimes:
    return RecordedTimes.of_words((o, o.window_end + lag) for o, lag in after)


def _found(spec: MakeSpec, *windows: Observation, **ends: int) -> list[tuple[str, int, int]]:
    expected = (at(ends["since"]), at(ends["until"])) if ends else None
    times = _times(*((o, HOUR) for o in windows))
    return [_short(one) for one in blanks(spec(), windows, times, expected)]


def _short(one: Blank) -> tuple[str, int, int]:
    return one.kind, (one.since - at(0)).days, one.windows


def test_windows_in_a_row_are_named_once(spec: MakeSpec) -> None:
    bare = {"labelled": 0}
    windows = [seen(0, None), seen(1, None), seen(2), seen(5, figures=bare), seen(6, figures=bare)]
    assert _found(spec, *windows) == [
        ("insufficient", 0, 2),
        ("not measured", 3, 2),
        ("without labels", 5, 2),
    ]


def test_windows_that_should_have_been_measured_before_and_after_are_missed(
    spec: MakeSpec,
) -> None:
    assert _found(spec, seen(3), since=1, until=7) == [
        ("not measured", 1, 2),
        ("not measured", 4, 3),
    ]
    assert _found(spec, since=1, until=7) == [("not measured", 1, 6)]


@pytest.mark.parametrize(
    ("first_word", "late"), [(HOUR, []), (timedelta(days=3), ["up to 2 days after they were due"])]
)
def test_a_window_is_late_by_its_first_word_and_not_by_a_later_one(
    spec: MakeSpec, first_word: timedelta, late: list[str]
) -> None:
    again = seen(0, revision=1)
    times = _times((seen(0), first_word), (again, timedelta(days=9)))
    found = blanks(spec(), [again], times)
    assert [one.why for one in found if one.kind == "recorded late"] == late
    assert [one.windows for one in found if one.kind == "measured again"] == [1]


def test_what_the_ledger_does_not_tell_is_not_said_to_be_late(spec: MakeSpec) -> None:
    assert blanks(spec(), [seen(0)], _times()) == []

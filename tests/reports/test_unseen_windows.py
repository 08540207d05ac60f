"""What nobody knows of a window is named: nothing said, not measured, no labels, late, again."""

from __future__ import annotations

from datetime import timedelta

from tasks.audit.stamps import ObservationStamps, Stamp
from tasks.ledger.records import Observation
from tasks.reports.unseen_windows import Blank, blanks
from tests.support.stood import MakeSpec, at, seen

HOUR = timedelta(hours=1)


def _found(spec: MakeSpec, *windows: Observation, **ends: int) -> list[tuple[str, int, int]]:
    stamps = ObservationStamps((o, _stamp(o, HOUR)) for o in windows)
    expected = (at(ends["since"]), at(ends["until"])) if ends else None
    return [_short(one) for one in blanks(spec(), windows, stamps, expected)]


def _stamp(seen: Observation, after: timedelta) -> Stamp:
    return Stamp(recorded_at=seen.window_end + after, position=1)


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


def test_a_window_is_late_by_its_first_word_and_not_by_a_later_one(spec: MakeSpec) -> None:
    first, again = seen(0), seen(0, revision=1)
    late = _stamp(again, timedelta(days=9))
    for word, kinds in (
        (HOUR, {"measured again"}),
        (timedelta(days=3), {"measured again", "recorded late"}),
    ):
        stamps = ObservationStamps([(first, _stamp(first, word)), (again, late)])
        found = blanks(spec(), [again], stamps)
        assert {one.kind for one in found} == kinds
    assert "up to 2 days after they were due" in {one.why for one in found}


def test_what_the_chain_does_not_name_is_not_said_to_be_late(spec: MakeSpec) -> None:
    assert blanks(spec(), [seen(0)], ObservationStamps([])) == []

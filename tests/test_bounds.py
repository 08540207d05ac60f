"""What dates, durations, versions and texts may be, wherever they enter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import bounds
from tasks.bounds import EARLIEST, FIRST, LAST, LATEST, LONGEST, OutOfBounds
from tasks.spec.window_options import WindowGrid
from tasks.spec.windows import latest_complete, window_at, windows_between, windows_within

# As a ledger row can hold them, and as a spec can.
recorded = st.datetimes(timezones=st.just(UTC))
allowed = st.datetimes(datetime(1700, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
minutes = st.sampled_from([1, 7, 60, 90, 1440, 10080, 36525 * 1440]) | st.integers(1, 36525 * 1440)
durations = minutes.map(lambda m: timedelta(minutes=m))
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Apia", "Africa/Monrovia"]
grids = st.builds(
    lambda every, start, zone, grace: WindowGrid(
        every=every, start=start, timezone=zone, grace=grace
    ),
    durations,
    allowed,
    st.sampled_from(ZONES),
    durations,
)


@pytest.mark.parametrize(
    "text", ["36526d", "5218w", "999999999w", "9" * 12 + "m", "9" * 5000 + "h", timedelta.max]
)
def test_a_duration_lasts_a_hundred_years_at_most(text: object) -> None:
    assert bounds.duration("36525d") == bounds.duration(LONGEST) == LONGEST
    with pytest.raises(OutOfBounds, match="longer than a hundred years; write 36525d at most"):
        bounds.duration(text)


@pytest.mark.parametrize("text", ["", "1.5h", "-1d", "٣d", "1d ", None, 7, [], "inf", 1.5])
def test_what_is_no_duration_is_told_how_to_write_one(text: object) -> None:
    for value in (text, 10**5000):  # the latter cannot even be shown
        with pytest.raises(OutOfBounds, match=r"^rest .*: write a whole number and a unit"):
            bounds.duration(value, "rest")


@pytest.mark.parametrize(
    "value",
    [
        "9999-12-28",
        "9999-12-31T23:59:59-23:00",
        "0001-01-01",
        "0001-01-01T00:00:00+14:00",
        "1699-12-31T23:59:59",
        "2200-01-01",
        "2199-12-31T23:59:59-01:00",
        datetime.max,
        datetime.min.replace(tzinfo=ZoneInfo("Pacific/Kiritimati")),
    ],
)
def test_a_moment_outside_of_1700_to_2199_is_refused_with_a_sentence(value: object) -> None:
    with pytest.raises(OutOfBounds, match=r"^until .* outside 1700-01-01 … 2199-12-31; write"):
        bounds.moment(value, "until")


@pytest.mark.parametrize("value", ["", "soon", "20260101", 20260101, None, [], "2026-02-30", "1e9"])
def test_what_is_no_moment_is_told_how_to_write_one(value: object) -> None:
    with pytest.raises(OutOfBounds, match="no date; write one such as 2026-01-31"):
        bounds.moment(value)


def test_a_moment_without_a_zone_is_in_utc() -> None:
    expected = datetime(2026, 1, 31, tzinfo=UTC)
    assert bounds.moment("2026-01-31") == bounds.moment("2026-01-31T01:00:00+01:00") == expected


@pytest.mark.parametrize("number", [0, -1, 2**31, True, "3", 1.0, None])
def test_a_version_is_a_number_that_a_database_holds(number: object) -> None:
    assert bounds.version(2**31 - 1) == 2**31 - 1
    with pytest.raises(OutOfBounds, match="no model version; write its number"):
        bounds.version(number)


@pytest.mark.parametrize("text", ["", " \n", "x" * 2001, "a\0b", "a\x1bb", "a\ud800b"])
def test_a_reason_is_a_text_that_a_database_holds(text: str) -> None:
    assert bounds.prose("line\none, α") == "line\none, α"
    with pytest.raises(OutOfBounds, match="the reason"):
        bounds.prose(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 251, "a\nb", "a\u2028b", "a\ud800b"])
def test_a_name_is_one_line_that_a_database_holds(text: str) -> None:
    assert bounds.name("Zoë O'Neil", "who") == "Zoë O'Neil"
    with pytest.raises(OutOfBounds, match=r"^who: "):
        bounds.name(text, "who")


@settings(max_examples=200, deadline=None)
@given(recorded, st.timedeltas())
def test_a_shifted_moment_stays_in_the_calendar_and_is_exact_within_it(
    moment: datetime, span: timedelta
) -> None:
    shifted = bounds.shifted(moment, span)
    assert FIRST <= shifted <= LAST
    for zone in ZONES:
        shifted.astimezone(ZoneInfo(zone))
    try:
        exact = moment + span
    except OverflowError:
        exact = LAST if span > timedelta(0) else FIRST
    assert shifted == min(max(exact, FIRST), LAST)


@settings(max_examples=200, deadline=None)
@given(allowed, durations)
def test_allowed_arithmetic_never_reaches_the_calendars_end(
    moment: datetime, span: timedelta
) -> None:
    # The longest way: end + delay + 4 · delay, as labels are awaited.
    assert FIRST < bounds.shifted(moment, -2 * span) < EARLIEST.replace(year=2200)
    assert EARLIEST < bounds.shifted(moment, 5 * span + span) < LAST


@settings(max_examples=200, deadline=None)
@given(
    grids,
    recorded | st.sampled_from([datetime.min, datetime.max]).map(lambda m: m.replace(tzinfo=UTC)),
)
def test_each_recorded_moment_has_a_window_whatever_it_is(
    grid: WindowGrid, moment: datetime
) -> None:
    window = window_at(grid, moment)
    assert FIRST <= window.start <= window.end <= LAST
    if window.start > FIRST and window.end < LAST:
        assert window.start <= moment < window.end
    latest_complete(grid, moment)


@settings(max_examples=50, deadline=None)
@given(recorded, st.sampled_from([datetime.min, datetime.max]))
def test_windows_up_to_the_calendars_end_come_to_an_end(start: datetime, edge: datetime) -> None:
    grid = WindowGrid(every="36525d", start="2026-01-01")  # type: ignore[arg-type]
    first, last = sorted([start, edge.replace(tzinfo=UTC)])
    tiles = list(windows_between(grid, first, last))
    assert len(tiles) <= 101
    assert all(first <= w.start < w.end <= last for w in tiles)


def test_a_range_of_too_many_windows_is_refused_at_once() -> None:
    minute = WindowGrid(every="1m", start="2026-01-01")  # type: ignore[arg-type]
    assert len(windows_within(minute, minute.start, minute.start + timedelta(hours=2))) == 120
    with pytest.raises(OutOfBounds, match="holds 1051200 windows of 1m; take a range of 100000 at"):
        windows_within(minute, minute.start, minute.start + timedelta(days=730))
    assert LATEST > EARLIEST

"""How windows tile time, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.spec.window_options import WindowGrid
from tasks.spec.windows import Window, latest_complete, window_at, windows_between, windows_per_year

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)


def grid(**parts: object) -> WindowGrid:
    return WindowGrid.model_validate({"every": "1d", "start": "2026-01-01", **parts})


grids = st.builds(
    grid,
    every=st.sampled_from(["45m", "6h", "1d", "7d", "90m", "36h"]),
    timezone=st.sampled_from(
        ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/New_York"]
    ),
    start=st.sampled_from(["2026-01-01", "2026-01-05T02:30:00", "2026-06-15T12:00:00Z"]),
)
moments = st.datetimes(
    datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC), allow_imaginary=False
)


@settings(max_examples=30, deadline=None)
@given(grids, moments)
def test_a_window_holds_its_moment_and_only_its_own(grid: WindowGrid, moment: datetime) -> None:
    window = window_at(grid, moment)
    assert window.start <= moment < window.end
    assert window_at(grid, window.start) == window
    assert window_at(grid, window.end - timedelta(microseconds=1)) == window
    assert window_at(grid, window.end).start == window.end


@settings(max_examples=30, deadline=None)
@given(grids, moments, st.integers(0, 30))
def test_windows_tile_a_range_without_gap_or_overlap(
    grid: WindowGrid, start: datetime, days: int
) -> None:
    end = start + timedelta(days=days)
    windows = list(windows_between(grid, start, end))
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert all(start <= w.start < w.end <= end for w in windows)
    # What is cut off on either side is less than a window.
    if windows:
        assert window_at(grid, start).end >= windows[0].start
        assert window_at(grid, end).start <= windows[-1].end
    else:
        assert window_at(grid, window_at(grid, start).end).end > end or days == 0


@pytest.mark.parametrize(("change", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_a_day_starts_at_local_midnight_over_a_clock_change(change: datetime, hours: int) -> None:
    daily = grid(timezone="Europe/Berlin")
    days = list(windows_between(daily, change - timedelta(days=3), change + timedelta(days=3)))
    assert {day.start.astimezone(BERLIN).time().isoformat() for day in days} == {"00:00:00"}
    assert all(a.end == b.start for a, b in pairwise(days))
    longest = window_at(daily, change)
    assert longest.end - longest.start == timedelta(hours=hours)
    assert sum(day.end - day.start != timedelta(days=1) for day in days) == 1


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_windows_of_hours_keep_their_length_over_a_clock_change(change: datetime) -> None:
    quarter = grid(every="6h", timezone="Europe/Berlin")
    start = window_at(quarter, change - timedelta(days=2)).start
    windows = list(windows_between(quarter, start, start + timedelta(days=4)))
    assert len(windows) == 16
    assert {w.end - w.start for w in windows} == {timedelta(hours=6)}
    assert all(a.end == b.start for a, b in pairwise(windows))


def test_the_first_window_starts_where_the_spec_says() -> None:
    for zone in ("UTC", "Europe/Berlin"):
        weekly = grid(every="7d", timezone=zone)
        assert window_at(weekly, weekly.start).start == weekly.start


def test_only_whole_windows_of_a_range_are_given() -> None:
    start, end = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 4, 12, tzinfo=UTC)
    days = [w.start.day for w in windows_between(grid(), start, end)]
    assert days == [2, 3]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (datetime(2026, 1, 10, 1, 59, tzinfo=UTC), 8),
        (datetime(2026, 1, 10, 2, 0, tzinfo=UTC), 9),
        (datetime(2026, 1, 11, 1, 59, tzinfo=UTC), 9),
    ],
)
def test_a_window_is_complete_once_its_grace_has_passed(now: datetime, newest: int) -> None:
    assert latest_complete(grid(grace="2h"), now).start.day == newest


def test_no_window_is_complete_beyond_the_grids_end() -> None:
    late = datetime(2027, 1, 1, tzinfo=UTC)
    assert latest_complete(grid(end="2026-01-06"), late).end == datetime(2026, 1, 6, tzinfo=UTC)
    within = grid(end="2026-01-06T12:00:00Z")
    assert latest_complete(within, late).end == datetime(2026, 1, 6, tzinfo=UTC)
    assert latest_complete(within, datetime(2026, 1, 3, 1, tzinfo=UTC)).start.day == 2


@settings(max_examples=30, deadline=None)
@given(grids, moments, st.sampled_from(["0m", "1h", "3d"]))
def test_the_latest_complete_window_is_the_newest_one(
    grid: WindowGrid, now: datetime, grace: str
) -> None:
    graceful = WindowGrid.model_validate({**grid.model_dump(), "grace": grace})
    newest = latest_complete(graceful, now)
    following = window_at(graceful, newest.end)
    assert newest.end + graceful.grace <= now < following.end + graceful.grace


def test_a_year_has_as_many_windows_as_fit() -> None:
    assert windows_per_year(grid(every="1d")) == 365.25
    assert windows_per_year(grid(every="6h")) == 1461


def test_a_window_shows_its_interval_and_names_its_start() -> None:
    window = Window(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 12, 6, tzinfo=UTC))
    assert str(window) == "[2026-01-05 00:00, 2026-01-12 06:00)"
    assert window.name == "20260105T0000"

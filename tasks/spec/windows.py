"""Event-time windows and how they tile time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks import bounds
from tasks.bounds import FIRST, LAST, OutOfBounds, shifted
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration
from tasks.spec.window_options import WindowGrid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_RUN = timedelta(hours=1)  # of the monitor


@dataclass(frozen=True, order=True)
class Window:
    """One event-time interval `[start, end)`, both in UTC."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%d %H:%M}, {self.end:%Y-%m-%d %H:%M})"

    @property
    def name(self) -> str:
        """Return the window's start as it stands in file names and episodes."""
        return f"{self.start:%Y%m%dT%H%M}"


def window_at(grid: WindowGrid, moment: datetime) -> Window:
    """Return the window of the grid that holds the moment.

    Within two days of the calendar's ends, the one beside them: windows there are cut short.
    """
    index = _index(grid, moment)
    return Window(_boundary(grid, index), _boundary(grid, index + 1))


def windows_between(grid: WindowGrid, start: datetime, end: datetime) -> Iterator[Window]:
    """Yield the whole windows within `[start, end)`, oldest first."""
    index = _index(grid, start)
    opens = _boundary(grid, index)
    while True:
        closes = _boundary(grid, index := index + 1)
        if closes > end or closes == opens:  # at the calendar's end there are no more
            return
        if opens >= start:
            yield Window(opens, closes)
        opens = closes


def whole_windows(grid: WindowGrid, start: datetime, end: datetime) -> Window | None:
    """Return the stretch from the first to the last whole window within `[start, end)`, if any."""
    first, last = window_at(grid, start), window_at(grid, end)
    since = first.start if first.start >= start else first.end
    return Window(since, last.start) if since < last.start else None


def windows_within(grid: WindowGrid, start: datetime, end: datetime) -> list[Window]:
    """Return what `windows_between` yields, if that is little enough to be looked at as a whole.

    Raises
    ------
    OutOfBounds
        If it is not: says how many windows there are.
    """
    if (count := (end - start) // grid.every) > bounds.WINDOWS:
        length = format_duration(grid.every)
        raise OutOfBounds(
            f"{start:%Y-%m-%d} … {end:%Y-%m-%d} holds {count} windows of {length}; take a range of "
            f"{bounds.WINDOWS} at most"
        )
    return list(windows_between(grid, start, end))


def latest_complete(grid: WindowGrid, now: datetime) -> Window:
    """Return the newest window whose end and grace have passed, within the grid's own end."""
    moment = shifted(now, -grid.grace)
    if grid.end is not None:
        moment = min(moment, grid.end)
    current = window_at(grid, moment)
    return window_at(grid, shifted(current.start, -timedelta(microseconds=1)))


def measured_by(grid: WindowGrid, window: Window) -> datetime:
    """Return by when a window is due to be measured, on the wall clock.

    Its run has a quarter of a window after the grace, and an hour at the most.
    """
    return shifted(window.end, grid.grace + run_time(grid))


def run_time(grid: WindowGrid) -> timedelta:
    """Return how long a run of the monitor may take: a quarter of a window, an hour at the most."""
    return min(_LONGEST_RUN, grid.every / 4)


def labels_awaited_until(spec: ModelSpec, window: Window) -> datetime:
    """Return the event time from which on no more labels of a window are expected.

    Four times `label.delay` after they are due, and at least four windows.
    """
    return shifted(window.end, spec.label.delay + 4 * max(spec.label.delay, spec.window.every))


def awaits_labels(spec: ModelSpec, window: Window, until: datetime) -> bool:
    """Return whether labels of a window may still come, once windows are observed up to `until`."""
    return spec.label.late and until <= labels_awaited_until(spec, window)


def stamp(moment: datetime) -> int:
    """Return microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def windows_per_year(grid: WindowGrid) -> float:
    """Return how many windows a year of 365.25 days has."""
    return timedelta(days=365.25) / grid.every


def _index(grid: WindowGrid, moment: datetime) -> int:
    moment = min(max(moment, FIRST), LAST)
    index = int((moment - grid.start) // grid.every)
    # A change to or from daylight saving moves a boundary by an hour at most.
    while FIRST < _boundary(grid, index) > moment:
        index -= 1
    while LAST > _boundary(grid, index + 1) <= moment:
        index += 1
    return index


def _boundary(grid: WindowGrid, index: int) -> datetime:
    """Return where a window starts; beyond the calendar its end on that side."""
    try:
        if grid.every % timedelta(days=1):
            return min(max(grid.start + index * grid.every, FIRST), LAST)
        # Whole days are counted on the wall clock, so that each starts at local midnight.
        zone = ZoneInfo(grid.timezone)
        local = grid.start.astimezone(zone).replace(tzinfo=None) + index * grid.every
        return min(max(local.replace(tzinfo=zone).astimezone(UTC), FIRST), LAST)
    except OverflowError:
        return LAST if index > 0 else FIRST

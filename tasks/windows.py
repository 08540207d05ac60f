"""Event-time windows and how they tile time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks.spec import ModelSpec, WindowGrid


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
    """Return the window of the grid that holds the moment."""
    index = _index(grid, moment)
    return Window(_boundary(grid, index), _boundary(grid, index + 1))


def windows_between(grid: WindowGrid, start: datetime, end: datetime) -> Iterator[Window]:
    """Yield the whole windows within `[start, end)`, oldest first."""
    window = window_at(grid, start)
    if window.start < start:
        window = window_at(grid, window.end)
    while window.end <= end:
        yield window
        window = window_at(grid, window.end)


def latest_complete(grid: WindowGrid, now: datetime) -> Window:
    """Return the newest window whose end and grace have passed, within the grid's own end."""
    moment = now - grid.grace
    if grid.end is not None:
        moment = min(moment, grid.end)
    current = window_at(grid, moment)
    return window_at(grid, current.start - timedelta(microseconds=1))


def labels_awaited_until(spec: ModelSpec, window: Window) -> datetime:
    """Return the event time from which on no more labels of a window are expected.

    Four times `label.delay` after they are due, and at least four windows.
    """
    return window.end + spec.label.delay + 4 * max(spec.label.delay, spec.window.every)


def windows_per_year(grid: WindowGrid) -> float:
    """Return how many windows a year of 365.25 days has."""
    return timedelta(days=365.25) / grid.every


def _index(grid: WindowGrid, moment: datetime) -> int:
    index = int((moment - grid.start) // grid.every)
    # A change to or from daylight saving moves a boundary by an hour at most.
    while _boundary(grid, index) > moment:
        index -= 1
    while _boundary(grid, index + 1) <= moment:
        index += 1
    return index


def _boundary(grid: WindowGrid, index: int) -> datetime:
    if grid.every % timedelta(days=1):
        return grid.start + index * grid.every
    # Whole days are counted on the wall clock, so that each starts at local midnight.
    zone = ZoneInfo(grid.timezone)
    local = grid.start.astimezone(zone).replace(tzinfo=None) + index * grid.every
    return local.replace(tzinfo=zone).astimezone(UTC)

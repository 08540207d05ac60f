"""Rows that lie in no window at all: counted, and said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tasks.spec.window_options import WindowGrid
from tasks.spec.windows import Window, window_at

_TOLD = {
    "timeless": "have no time (source.time); write one",
    "unreadable": "have a time (source.time) that cannot be read; write it as 2026-01-31T00:00:00Z",
    "early": "lie before the first window; if they should count, set window.start earlier",
    "late": "lie after the last window; if they should count, set window.end later",
    "strange": "have a time that is not of the day of their file; land them in the file of their "
    "day, or say in source.timezone in which zone times without one are",
}


@dataclass(frozen=True)
class TimeSpan:
    """Where a row must lie to be in a window that reads its file.

    `owner` is the moment whose window the file's faults are told in: once for each file.
    """

    start: datetime
    end: datetime
    owner: datetime | None

    def owned(self, window: Window) -> bool:
        """Return whether the faults of a file belong to a window; of an undated one to each."""
        return self.owner is None or window.start <= self.owner < window.end


def span_of(grid: WindowGrid, day: date | None) -> TimeSpan:
    """Return the span of a file of a local day, or of a place whose files have none."""
    first, last = _ends(grid)
    if day is None:
        return TimeSpan(first, last, None)
    zone = ZoneInfo(grid.timezone)
    begins, ends = (
        datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1))
    )
    start = max(window_at(grid, begins).start, first)
    end = min(window_at(grid, ends - timedelta(microseconds=1)).end, last)
    return TimeSpan(start, max(start, end), max(begins, start))


def _ends(grid: WindowGrid) -> tuple[datetime, datetime]:
    """Return where the first window starts, and where the last one ends."""
    if grid.end is None:
        return grid.start, datetime.max.replace(tzinfo=UTC)
    return grid.start, window_at(grid, grid.end).start


def at_edge(grid: WindowGrid, window: Window) -> tuple[bool, bool]:
    """Return whether there is no window before this one, and none after it."""
    first, last = _ends(grid)
    return window.start <= first, window.end >= last


class Outside:
    """How many rows of a reading are in no window; fed by the readers.

    Texts that should be numbers are counted too: their rows are there, without the value.
    """

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, str]] = Counter()

    def add(self, why: str, where: str, count: int) -> None:
        """Count rows of a file or table that lie outside for a reason of `_TOLD`."""
        if count:
            self._rows[why, where] += count

    def add_no_numbers(self, column: str, where: str, count: int) -> None:
        """Count values of a numeric column that are texts."""
        self.add(f"column {column!r}", where, count)

    def see(self, times: Any, span: TimeSpan, where: str, edges: tuple[bool, bool]) -> None:
        """Count those of some instants that no window holds.

        What lies before the first window or after the last is told of the first and last alone.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = pa.timestamp("us", "UTC")
        times = times.cast(kind, safe=False)
        early = pc.sum(pc.less(times, pa.scalar(span.start, kind))).as_py() or 0
        late = pc.sum(pc.greater_equal(times, pa.scalar(span.end, kind))).as_py() or 0
        if span.owner is not None:
            self.add("strange", where, early + late)
            return
        self.add("timeless", where, times.null_count)
        self.add("early", where, early if edges[0] else 0)
        self.add("late", where, late if edges[1] else 0)

    @property
    def told(self) -> tuple[str, ...]:
        """Return a sentence for each reason."""
        found = []
        for why in sorted({why for (why, _), count in self._rows.items() if count > 0}):
            rows = {w: count for (reason, w), count in self._rows.items() if reason == why}
            places = sorted(rows)
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            count, where = sum(rows.values()), f"{places[0]}{more}"
            if why in _TOLD:
                found.append(f"{count:,} rows of {where} are in no window: they {_TOLD[why]}")
            else:
                found.append(
                    f"{count:,} values of {where}, {why}, are no numbers, and count as missing; "
                    "write them as 1234.5"
                )
        return tuple(found)

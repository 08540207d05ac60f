"""The newest row that a source holds: what a first champion can be trained on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tasks.bounds import EARLIEST, LATEST
from tasks.data.window_rows import NoRows, batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def newest_row(spec: ModelSpec, before: datetime) -> datetime | None:
    """Return the event time of the newest row before a moment; None if there is none.

    Only the time column is read, newest rows first, and no further back than needed.

    Raises
    ------
    tasks.data.readers.SourceError
        If a file or table cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for span in _spans(spec, before):
        newest: datetime | None = None
        try:
            for batch in batches(spec, span, [spec.source.time]):
                found = pc.max(batch.column(spec.source.time)).cast(pa.timestamp("us")).as_py()
                if found is not None:
                    found = found if found.tzinfo else found.replace(tzinfo=UTC)
                    newest = max(newest or found, found)
        except NoRows:
            continue
        if newest is not None:
            return newest
    return None


def _spans(spec: ModelSpec, before: datetime) -> Iterator[Window]:
    """Yield stretches of time to look into, newest first."""
    if "{date}" in (spec.source.path or ""):
        zone = ZoneInfo(spec.window.timezone)
        for day in _days(spec.source.path or ""):
            start = datetime.combine(day, time(), zone).astimezone(UTC)
            if start < before:
                yield Window(start, min(start + _DAY, before))
        return
    end, length = before, spec.window.every
    while end > _FIRST:
        start = max(end - length, _FIRST)
        yield Window(start, end)
        end, length = start, 2 * length


def _days(path: str) -> list[date]:
    """Return the days for which a dated path has a file, newest first."""
    import fsspec

    fs, pattern = fsspec.core.url_to_fs(path.replace("{date}", "*"))
    before, _, after = path.partition("{date}")
    # What stands right before the day in its own part of the path, and right after.
    named = re.compile(
        re.escape(re.split(r"[/*]", before)[-1])
        + r"(\d{4}-\d\d-\d\d)"
        + re.escape(re.split(r"[/*]", after)[0])
    )
    found: set[date] = set()
    for name in fs.glob(pattern):
        for text in named.findall(str(name)):
            try:
                found.add(date.fromisoformat(text))
            except ValueError:
                continue  # no day of any calendar
    first, last = EARLIEST.date(), LATEST.date()
    return sorted((day for day in found if first < day < last), reverse=True)

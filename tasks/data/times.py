"""Times as files and databases hold them → instants in UTC. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks.errors import Final

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.spec.model import ModelSpec

_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d.*)?", re.DOTALL)
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


class NoZone(Final):
    """A time has no zone, and nothing says which one is meant."""


def zone_of(spec: ModelSpec) -> str | None:
    """Return the zone of times that have none; None if the spec leaves it open.

    If days begin in UTC, a time without a zone is UTC. Elsewhere it might be either.
    """
    days = "UTC" if spec.window.timezone in ("UTC", "Etc/UTC") else None
    return spec.source.timezone or days


def is_time(kind: pa.DataType) -> bool:
    """Return whether a type holds times: timestamps, and days, which stand for their midnight."""
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def instants(column: Any, zone: str | None) -> Any:
    """Return times as instants in UTC, in their own unit.

    A local time that the clock shows twice is the first of both; one that it skips is the moment
    of the change.

    Raises
    ------
    NoZone
        If there are times without a zone, and `zone` is None.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    utc = pa.timestamp(column.type.unit, "UTC")
    if column.type.tz is not None or zone == "UTC":
        return column.cast(utc)
    if zone is None:
        if column.null_count == len(column):
            return column.cast(utc)
        raise NoZone
    known = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
    return known.cast(utc)


def from_texts(texts: pa.Array, zone: str | None) -> tuple[pa.Array, int]:
    """Return the instants that texts in ISO 8601 name, in UTC, and how many of them name none.

    Null where there is no time. Known are `2026-01-31`, `2026-01-31 10:00`, `T` for the blank,
    seconds, a fraction of which microseconds are kept, and `Z`, `UTC` or an offset at the end.

    Raises
    ------
    NoZone
        If one has no zone, and `zone` is None.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(texts)
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return instants(texts.cast(kind), zone), 0
        except pa.ArrowInvalid:  # others have a zone, or are no time
            continue
    return _one_by_one(texts, zone)


def _one_by_one(texts: pa.Array, zone: str | None) -> tuple[pa.Array, int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    local: list[int | None] = []
    known: list[int | None] = []
    wrong = 0
    for text in texts.to_pylist():
        moment = None if text is None else _moment(text)
        wrong += text is not None and moment is None
        plain = None if moment is None else (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND
        offset = None if moment is None else moment.utcoffset()
        local.append(plain if offset is None else None)
        known.append(None if offset is None or plain is None else plain - offset // _MICROSECOND)
    here = instants(pa.array(local, pa.int64()).cast(pa.timestamp("us")), zone)
    there = pa.array(known, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return pc.coalesce(there, here), wrong


def _moment(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):  # Python reads more as ISO 8601, such as 20260131
        return None
    try:
        return datetime.fromisoformat(re.sub(r" ?UTC$| (?=[+-])", _offset, text))
    except ValueError:
        return None


def _offset(match: re.Match[str]) -> str:
    return "+00:00" if "UTC" in match[0] else ""

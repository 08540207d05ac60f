"""What a latch remembers, as JSON and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tasks.drift.latch import LatchMemory, Pause, Reading
from tasks.spec.windows import Window

_MICROSECOND = timedelta(microseconds=1)


def memory_to_json(memory: LatchMemory) -> dict[str, Any]:
    """Return it ready for JSON."""
    return {
        "last": memory.last and _window(memory.last),
        "taken": [[p.since.isoformat(), p.promotion] for p in memory.taken],
        "recent": [_reading(reading) for reading in memory.recent],
        "calm": memory.calm,
        "episode": memory.episode,
        "paused": memory.paused and memory.paused.isoformat(),
        "refused": memory.refused,
        "length": memory.length // _MICROSECOND,
        "settled": memory.settled and memory.settled.isoformat(),
        "pending": memory.pending and memory.pending.isoformat(),
    }


def memory_from_json(raw: Mapping[str, Any]) -> LatchMemory:
    """Return what `memory_to_json` wrote."""
    return LatchMemory(
        last=raw["last"] and _read(*raw["last"]),
        taken=tuple(Pause(datetime.fromisoformat(at), promotes) for at, promotes in raw["taken"]),
        recent=tuple(
            Reading(_read(start, end), version, verdict, pressure, _moment(awaited))
            for start, end, version, verdict, pressure, awaited in raw["recent"]
        ),
        calm=raw["calm"],
        episode=raw["episode"],
        paused=_moment(raw["paused"]),
        refused=raw["refused"],
        length=raw["length"] * _MICROSECOND,
        settled=_moment(raw["settled"]),
        pending=_moment(raw["pending"]),
    )


def _reading(one: Reading) -> list[Any]:
    awaited = one.awaited_until and one.awaited_until.isoformat()
    return [*_window(one.window), one.version, one.verdict, one.pressure, awaited]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _window(window: Window) -> list[str]:
    return [window.start.isoformat(), window.end.isoformat()]


def _read(start: str, end: str) -> Window:
    return Window(datetime.fromisoformat(start), datetime.fromisoformat(end))

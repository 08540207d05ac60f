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
        "recent": [[*_window(r.window), r.version, r.verdict, r.pressure] for r in memory.recent],
        "calm": memory.calm,
        "episode": memory.episode,
        "paused": memory.paused and memory.paused.isoformat(),
        "refused": memory.refused,
        "length": memory.length // _MICROSECOND,
    }


def memory_from_json(raw: Mapping[str, Any]) -> LatchMemory:
    """Return what `memory_to_json` wrote."""
    return LatchMemory(
        last=raw["last"] and _read(*raw["last"]),
        taken=tuple(Pause(datetime.fromisoformat(at), promotes) for at, promotes in raw["taken"]),
        recent=tuple(
            Reading(_read(start, end), version, verdict, pressure)
            for start, end, version, verdict, pressure in raw["recent"]
        ),
        calm=raw["calm"],
        episode=raw["episode"],
        paused=raw["paused"] and datetime.fromisoformat(raw["paused"]),
        refused=raw["refused"],
        length=raw["length"] * _MICROSECOND,
    )


def _window(window: Window) -> list[str]:
    return [window.start.isoformat(), window.end.isoformat()]


def _read(start: str, end: str) -> Window:
    return Window(datetime.fromisoformat(start), datetime.fromisoformat(end))

"""A scene of made rows: hours of a known rule, a champion of eight of them, and an incident."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tasks.rehearsal.scene import Scene
from tasks.replay.trained_model import train_on_history
from tests.support import past
from tests.support.past import HOURS

SPAN = 8 * HOURS
FIRST, ONSET, END = 8, 11, 23
HOURLY = 200  # rows


@cache
def scene(seed: int = 0, hourly: int = HOURLY) -> Scene:
    spec = past.spec(window={"min_rows": 20})
    history = past.past(past.rows(END * hourly, hourly=hourly))
    start = history.windows[FIRST].start
    champion = train_on_history(spec, history, start, SPAN, None)
    return Scene(spec, history, FIRST, ONSET, SPAN, champion, seed)


def silent(name: str, total: int | None) -> Callable[..., None]:
    return lambda steps=1: None

"""The stretches of a history in which incidents are played: those where nothing else alarms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from tasks.classifier.training import TrainingError
from tasks.errors import Final
from tasks.rehearsal.scene import Incident, Scene, cut_out
from tasks.rehearsal.watched import watch
from tasks.replay.history import History
from tasks.replay.trained_model import train_on_history
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration

LOOKED_AT = 6  # times as many stretches are looked at as are played, at the most


class NoStretch(Final):
    """No stretch of a history can be rehearsed on: says why, and the way out."""


@dataclass(frozen=True)
class QuietStretch:
    """A scene in which nothing alarms without an incident, and the causes named all the same."""

    scene: Scene
    usual: frozenset[str]


@dataclass(frozen=True)
class Found:
    """The stretches that are played, and how many were looked at until these were found."""

    stretches: tuple[QuietStretch, ...]
    looked_at: int


def onsets(spec: ModelSpec, history: History, span: timedelta, windows: int) -> range:
    """Return the windows from which on a champion could rule, with an incident soon after.

    Raises
    ------
    NoStretch
        If the history is too short.
    """
    first = history.first_at(history.windows[0].start + span)
    last = len(history.windows) - spec.latch.open.of - windows
    if last < first:
        length = format_duration(spec.window.every)
        raise NoStretch(
            f"the history holds {len(history.windows)} windows of {length}; the champion takes "
            f"{format_duration(span)}, {spec.latch.open.of} windows go before the incident and "
            f"{windows} from it on: widen --from and --to, or shorten --first or --windows"
        )
    return range(first, last + 1)


def quiet_stretches(
    spec: ModelSpec,
    history: History,
    span: timedelta,
    *,
    windows: int,
    count: int,
    seed: int,
    advance: Callable[[], None],
) -> Found:
    """Return stretches, evenly spread, in which the spec does not alarm by itself.

    Parameters
    ----------
    span
        Event time that trains the champion of each.
    windows
        How many windows there are from the incident on.
    count
        How many stretches are wanted; fewer are returned where fewer are quiet.

    Raises
    ------
    NoStretch
        If there is none.
    """
    possible = onsets(spec, history, span, windows)
    places = _spread(possible, min(LOOKED_AT * count, len(possible)))
    found: list[QuietStretch] = []
    looked, problem = 0, ""
    for first in places:
        looked += 1
        try:
            scene = _scene(spec, history, first, span, windows, seed)
        except TrainingError as error:
            problem = f"no champion could be trained: {error}"
        else:
            said = _without_incident(scene)
            if said.usual is not None:
                found.append(QuietStretch(scene, said.usual))
            else:
                problem = f"it alarms without any incident ({said.alarm})"
        advance()
        if len(found) == count:
            break
    if not found:
        raise NoStretch(
            f"none of {len(places)} stretches of the history can be rehearsed on; in the last one "
            f"{problem}. Play it with `python -m tasks replay`, repair the spec, or choose another "
            "part of the history with --from and --to"
        )
    in_order = sorted(found, key=lambda s: s.scene.history.windows[0])
    return Found(tuple(in_order), looked)


def _spread(possible: range, count: int) -> list[int]:
    """Return places all over a range, each far from those before it: van der Corput's sequence."""
    turns = [sum((k >> bit & 1) / 2 ** (bit + 1) for bit in range(16)) for k in range(1, 8 * count)]
    places = dict.fromkeys(possible[0] + int(t * len(possible)) for t in turns)
    return list(places)[:count]


def _scene(
    spec: ModelSpec, history: History, first: int, span: timedelta, windows: int, seed: int
) -> Scene:
    begin = history.first_at(history.windows[first].start - span)
    before = spec.latch.open.of
    mine = cut_out(history, begin, first + before + windows)
    at = first - begin
    champion = train_on_history(spec, mine, mine.windows[at].start, span, None)
    return Scene(spec, mine, at, at + before, span, champion, seed)


@dataclass(frozen=True)
class _Alone:
    alarm: str | None
    usual: frozenset[str] | None


def _without_incident(scene: Scene) -> _Alone:
    nothing = Incident(scene.history, scene.history.label)
    told = watch(scene.spec, replace(scene, onset=scene.first), nothing, weighed=False)
    return _Alone(told.alarm, None if told.alarm else frozenset(told.causes))

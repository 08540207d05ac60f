"""A policy against others: never, every k windows, always, the best in hindsight; and sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.replay import play, schedules
from tasks.replay.history import History
from tasks.replay.played import Played, Retrain
from tasks.replay.schedules import Matrix
from tasks.spec.model import ModelSpec

OURS = "gatelatch"
# Told a stage's name and its number of steps, if known; returns what to call after each step.
Stage = Callable[[str, int | None], Callable[..., None]]


@dataclass(frozen=True)
class Policy:
    """What came of one way to retrain.

    `retrains` are the windows from which on a new champion ruled, counted from the first
    champion's first; `rates` the ruling champions' accuracy, hinge loss and violation rate in each
    window, shape (3, windows), NaN without labels. `labels_used` is the share of all labelled rows
    that trained a model or judged a window. `false_alarms` counts what opened in vain: refused by
    the gates, or followed by no better accuracy until the next retrain (known in hindsight only).
    """

    name: str
    retrains: tuple[int, ...]
    rates: Floats
    labels_used: float
    false_alarms: int

    @property
    def means(self) -> tuple[float | None, ...]:
        """Return accuracy, hinge loss and violation rate, each the mean of all windows'."""
        return tuple(_mean(row) for row in self.rates)

    def gain_per_retrain(self, never: float | None) -> float | None:
        """Return the points of accuracy (1/100) that each retrain brought over never to retrain."""
        accuracy = self.means[0]
        if accuracy is None or never is None or not self.retrains:
            return None
        return 100 * (accuracy - never) / len(self.retrains)


@dataclass(frozen=True)
class Hindsight:
    """Accuracy of the old and the new champion from a retrain to the next promotion."""

    old: float | None
    new: float | None
    false_alarm: bool | None


@dataclass(frozen=True)
class Trial:
    """A spec, played; `never` is the accuracy of its first champion, had it ruled for ever.

    `seconds` is what the play took, without training.
    """

    spec: ModelSpec
    history: History
    played: Played
    ours: Policy
    seconds: float

    @property
    def never(self) -> float | None:
        return _mean(self.played.rates[0, 0])


def trial(
    spec: ModelSpec,
    history: History,
    start: datetime,
    span: timedelta,
    stage: Stage,
    name: str = "playing",
) -> Trial:
    """Play a spec over a history from `start` on; see `replay.play`."""
    first = history.first_at(start)
    advance = stage(name, len(history.windows) - first)
    began = perf_counter()
    played = play.play(spec, history, first, span, advance)
    seconds = perf_counter() - began - played.seconds
    reigns = [step.version - 1 for step in played.steps]
    rates = played.rates[reigns, :, range(len(reigns))].T
    promoted = tuple(r.index + 1 - first for r in played.retrains if r.version is not None)
    used = [played.bootstrap.trained, *(r.trained for r in played.retrains)]
    judged = (history.rows(step.index) for step in played.steps if step.judgement.labelled)
    used += [np.arange(rows.start, rows.stop) for rows in judged]
    pairs = zip(played.retrains, hindsight(played), strict=True)
    last = {retrain.episode: known.false_alarm for retrain, known in pairs}
    alarms = sum(alarm is True for alarm in last.values())
    ours = Policy(OURS, promoted, rates, _share(history, used), alarms)
    return Trial(spec, history, played, ours, seconds)


def hindsight(played: Played) -> list[Hindsight]:
    """Return what came of each retrain, until the next change of the champion."""
    changes = [r.index + 1 for r in played.retrains if r.version is not None]
    changes += [back.index + 1 for back in played.rollbacks]
    ends = sorted([*changes, played.first + len(played.steps)])

    def one(retrain: Retrain) -> Hindsight:
        if retrain.version is None:
            # Rows that cannot be trained on say nothing about the alarm.
            return Hindsight(None, None, True if retrain.gates else None)
        since = retrain.index + 1
        until = next((end for end in ends if end > since), since)
        reign = slice(since - played.first, until - played.first)
        versions = retrain.champion, retrain.version
        old, new = (_mean(played.rates[version - 1, 0, reign]) for version in versions)
        return Hindsight(old, new, None if old is None or new is None else new <= old)

    return [one(retrain) for retrain in played.retrains]


def compare(
    tried: Trial, span: timedelta, every: Sequence[int], most: int, stage: Stage
) -> list[Policy]:
    """Return the policies that the trial stands against, `never` first.

    Parameters
    ----------
    span
        Event time of the first champion's rows.
    every
        After how many windows the schedules retrain.
    most
        The best 1 … `most` retrains are sought in hindsight.
    """
    history, first = tried.history, tried.played.first
    windows = len(history.windows) - first
    advance = stage("training the others", -(-windows // schedules.stride(windows)))
    matrix = schedules.matrix(tried.spec, history, first, span, advance)
    plans: list[tuple[str, tuple[int, ...]]] = [("never", ())]
    plans += [(f"every {k} windows", matrix.every(k)) for k in sorted(set(every), reverse=True)]
    plans.append(("always", matrix.every(1)))
    best = schedules.best(matrix.rates[:, 0], matrix.starts, most)
    plans += [(f"oracle {n}", plan) for n, plan in enumerate(best) if n]
    return [_scheduled(name, plan, matrix, history) for name, plan in plans]


def _scheduled(name: str, plan: tuple[int, ...], matrix: Matrix, history: History) -> Policy:
    plan = matrix.possible(plan)
    rulers = matrix.rulers(plan)
    rates = matrix.rates[rulers, :, np.arange(len(rulers))].T
    vain = 0
    for start, end in pairwise((*plan, len(rulers))):
        old, new = (_mean(matrix.rates[rulers[w], 0, start:end]) for w in (start - 1, start))
        vain += old is not None and new is not None and new <= old
    used = [matrix.trained[model] for model in np.unique(rulers)]
    return Policy(name, plan, rates, _share(history, used), vain)


def sweep(
    base: Trial,
    points: Iterable[tuple[Mapping[str, Any], ModelSpec]],
    span: timedelta,
    read: Callable[[ModelSpec], History],
    stage: Stage,
) -> list[tuple[Mapping[str, Any], Trial]]:
    """Play the base with other settings, over the same time and with the same first rows.

    Parameters
    ----------
    read
        Loads the history of a spec; asked only where its rows may differ from the base's.
    """
    start = base.history.windows[base.played.first].start
    histories = {_data(base.spec): base.history}
    found = []
    for settings, spec in points:
        data = _data(spec)
        if data not in histories:
            histories[data] = read(spec)
        name = ", ".join(f"{path}={value}" for path, value in settings.items())
        found.append((settings, trial(spec, histories[data], start, span, stage, name)))
    return found


def _data(spec: ModelSpec) -> str:
    """Return what decides which rows a history holds."""
    parts = ("source", "window", "features", "label", "expectations", "validation")
    return str([getattr(spec, part) for part in parts])


def frontier(points: Sequence[Policy]) -> list[bool]:
    """Return which points no other beats in accuracy with as few retrains, or fewer."""

    def beaten(mine: Policy) -> bool:
        a, b = len(mine.retrains), mine.means[0]
        others = ((len(p.retrains), p.means[0]) for p in points)
        return b is None or any(
            c is not None and n <= a and c >= b and (n < a or c > b) for n, c in others
        )

    return [not beaten(point) for point in points]


def _share(history: History, used: Sequence[Ints]) -> float:
    """Return the share of all labelled rows that are in one of these."""
    seen = np.zeros(len(history.label), dtype=bool)
    for places in used:
        seen[places] = True
    known = history.label >= 0
    return float((seen & known).sum() / max(known.sum(), 1))


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None

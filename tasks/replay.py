"""A policy on trial: a spec played over history by the functions that the DAGs call, without Airflow.

Approvals are taken as given; everything else decides as it would have: the limits, the latch, the
gates, and labels that come late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tasks import acceptance, calibration, scoring, training
from tasks.acceptance import Acceptance
from tasks.attribution import change
from tasks.drift import Judgement, insufficient, judge
from tasks.history import History
from tasks.latch import Latch, Pause, Reading, fold
from tasks.margins import Floats, Ints, error, hinge, margin, violation
from tasks.spec import ModelSpec
from tasks.summary import Summary


@dataclass(frozen=True)
class Step:
    """One window: what was measured, what it means, where the latch stands after it."""

    index: int
    version: int
    judgement: Judgement
    latch: Latch
    losses: Losses | None


@dataclass(frozen=True)
class Retrain:
    """One opening of the latch that was acted on, after window `index`."""

    index: int
    episode: str
    accepted: Acceptance
    version: int | None
    causes: dict[str, float]


@dataclass(frozen=True)
class Losses:
    """Sums over the labelled rows of one window."""

    rows: int
    hinge: float
    violations: int
    errors: int


@dataclass(frozen=True)
class Played:
    steps: list[Step]
    retrains: list[Retrain]


class _Champion:
    """A model, and what it says of all rows from its first window on."""

    def __init__(self, version: int, model: Any, accepted: Acceptance) -> None:
        self.version = version
        self.model = model
        self.accepted = accepted
        self.first = 0

    def score(self, spec: ModelSpec, history: History, first: int) -> None:
        self.first = int(history.edges[first])
        frame = history.frame[self.first :]
        self.decision, self.inputs = scoring.score(self.model, frame)

    def summary(self, spec: ModelSpec, history: History, index: int, known: bool) -> Summary:
        rows = history.rows(index)
        mine = slice(rows.start - self.first, rows.stop - self.first)
        label = history.label[rows]
        return scoring.summarise_rows(
            spec,
            self.accepted.reference.summary.grid,
            self.model,
            history.frame[rows],
            label if known else np.full_like(label, -1),
            self.decision[mine],
            self.inputs[mine],
        )


def train(
    spec: ModelSpec, history: History, end: datetime, span: timedelta, champion: Any | None
) -> tuple[Any, Acceptance]:
    """Return the calibrated candidate of the rows of `[end - span, end)`, and how it was judged."""
    rows = history.between(end - span, end)
    label = history.label[rows]
    known = label >= 0
    frame, label = history.frame[rows][known].reset_index(drop=True), label[known]
    cut = training.slices(len(label), calibrate=spec.calibration.share, judge=spec.training.judge)
    fitted = training.fit(spec, frame[cut.fit], label[cut.fit])
    training.need_all_classes(spec, label[cut.calibrate], "calibration")
    model = calibration.platt(fitted, frame[cut.calibrate], label[cut.calibrate])
    return model, acceptance.judge(spec, model, champion, frame, label, span)


def play(spec: ModelSpec, history: History, first: int, span: timedelta) -> Played:
    model, accepted = train(spec, history, history.windows[first].start, span, None)
    champion = _Champion(1, model, accepted)
    champion.score(spec, history, first)
    steps, retrains = [], []
    readings, pauses = [], []
    for index in range(first, len(history.windows)):
        window = history.windows[index]
        summary = (
            champion.summary(spec, history, index, True)
            if history.rows(index).stop > history.rows(index).start
            else None
        )
        said = judge(summary, accepted_ref(champion), spec) if summary else insufficient("no row")
        readings.append(Reading(window, champion.version, said.verdict, said.pressure))
        latch = fold(spec.model, readings, pauses, spec.latch).now
        steps.append((index, champion.version, said, latch, summary.losses if summary else None))
        if latch.state == "open":
            model, accepted = train(spec, history, window.end, spec.training.window, champion.model)
            ok = accepted.passed
            causes = change(summary, champion.accepted.reference.summary)
            retrains.append((index, latch.episode, accepted, ok, causes))
            pauses.append(Pause(window.end, promotion=ok))
            if ok:
                champion = _Champion(champion.version + 1, model, accepted)
                if index + 1 < len(history.windows):
                    champion.score(spec, history, index + 1)
    return steps, retrains


def accepted_ref(c):
    return c.accepted.reference

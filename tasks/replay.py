"""A policy on trial: a spec played over history by the functions that the DAGs call.

Approvals are taken as given; everything else decides as it would have: the limits, the latch, the
gates, and labels that come late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from time import perf_counter

import numpy as np

from tasks.attribution import change
from tasks.champion import Candidate, Champion, train
from tasks.drift import Judgement, insufficient, judge
from tasks.gates import GateResult
from tasks.history import History
from tasks.latch import Latch, Pause, Reading, fold, windows_to_wait
from tasks.margins import Floats, Ints
from tasks.spec import ModelSpec
from tasks.summary import NotFinite
from tasks.training import TrainingError


@dataclass(frozen=True)
class Step:
    """One window: what was measured, what it means, where the latch stood at its end.

    `judgement` is of all labels that came within the history, `latch` of those that were there
    at the window's end.
    """

    index: int
    version: int
    judgement: Judgement
    latch: Latch


@dataclass(frozen=True)
class Retrain:
    """What came of one proposal, made at the end of window `index`.

    `version` is champion from the next window on; it is None, and `refusal` says why, if the
    candidate did not pass. `above` names the statistics above their limit in the newest window
    with a verdict, `causes` by how much each feature had moved the mean margin there; `trained`
    are the places of the rows of the candidate, `warnings` what it cannot promise.
    """

    index: int
    episode: str
    version: int | None
    refusal: str | None
    gates: tuple[GateResult, ...]
    above: tuple[str, ...]
    causes: dict[str, float]
    trained: Ints
    warnings: tuple[str, ...] = ()

    @property
    def untrained(self) -> bool:
        """Return whether the rows gave no candidate, so that there was nothing to gate."""
        return self.refusal is not None and not self.gates


@dataclass(frozen=True)
class Played:
    """A spec's play over history, from the window `first` on.

    `rates` holds, for each champion, accuracy, hinge loss and violation rate of all windows from
    `first` on, shape (champions, 3, windows): also of those after its reign, NaN before it, and
    where no label is known. `seconds` is the wall-clock time that went into training.
    """

    first: int
    bootstrap: Candidate
    steps: tuple[Step, ...]
    retrains: tuple[Retrain, ...]
    rates: Floats
    seconds: float


def play(
    spec: ModelSpec,
    history: History,
    first: int,
    span: timedelta,
    advance: Callable[[], None] = lambda: None,
) -> Played:
    """Play a spec over the windows of a history from `first` on.

    Parameters
    ----------
    span
        Event time before the window `first`, on which the first champion is trained.
    advance
        Called after each window.

    Raises
    ------
    TrainingError
        If the first champion cannot be trained. Where a later one cannot, it is asked for again.
    """
    run = _Run(spec, history, first, span)
    for index in range(first, len(history.windows)):
        if run.observe(index).state == "open" and run.asks(index):
            run.retrain(index)
        advance()
    return run.played()


class _Run:
    """The running values of one play."""

    def __init__(self, spec: ModelSpec, history: History, first: int, span: timedelta) -> None:
        self.spec, self.history, self.first = spec, history, first
        self.seconds = 0.0
        start = history.windows[first].start
        self.bootstrap = self._timed(start, span, None)
        self.steps: list[Step] = []
        self.retrains: list[Retrain] = []
        self.rates: list[Floats] = []
        self.waiting: list[tuple[int, Champion]] = []
        self._enthrone(self.bootstrap, first, start)

    def observe(self, index: int) -> Latch:
        """Measure and judge the window, and earlier ones whose labels came; return the latch."""
        now = self.history.windows[index].end
        ripe = [w for w in self.waiting if self._known(w[0], now)]
        self.waiting = [w for w in self.waiting if w not in ripe]
        for earlier, champion in ripe:
            said = self._judged(champion, earlier, labelled=True)
            self.steps[earlier - self.first] = replace(
                self.steps[earlier - self.first], judgement=said
            )
            if earlier in self.readings:
                self.readings[earlier] = self._reading(earlier, said)
        champion = self.champion
        problem = champion.problem(index)
        if problem is not None:
            said = insufficient(problem)
        else:
            known = self._known(index, now)
            said = self._judged(champion, index, known)
            if not known:
                self.waiting.append((index, champion))
        self.readings[index] = self._reading(index, said)
        # What was before the promotion is forgotten with it, so the readings since are enough.
        latch = fold(self.spec.model, self.readings.values(), self.pauses, self.spec.latch).now
        self.steps.append(Step(index, champion.version, said, latch))
        return latch

    def asks(self, index: int) -> bool:
        """Return whether the open episode is asked about now, after what could not be trained."""
        episode = self.steps[-1].latch.episode or ""
        newest = reversed(self.retrains)
        row = list(takewhile(lambda r: r.episode == episode and r.untrained, newest))
        needed = windows_to_wait(len(row))
        return needed is not None and (not row or index - row[0].index >= needed)

    def retrain(self, index: int) -> None:
        """Act on the open latch: train on the newest rows, and promote what passes."""
        window = self.history.windows[index]
        champion = self.champion
        refusal, trained = None, np.empty(0, np.int64)
        gates: tuple[GateResult, ...] = ()
        warnings: tuple[str, ...] = ()
        try:
            candidate = self._timed(window.end, self.spec.training.window, champion.model)
        except TrainingError as error:
            refusal = str(error)
        else:
            gates, trained = candidate.accepted.gates, candidate.trained
            warnings = tuple(candidate.accepted.metrics["warnings"])
            failed = [f"{g.title} ({g.reason})" for g in gates if not g.passed]
            refusal = "; ".join(failed) or None
        measured = next(s for s in reversed(self.steps) if s.judgement.pressure is not None)
        self.retrains.append(
            Retrain(
                index,
                self.steps[-1].latch.episode or "",
                None if refusal else champion.version + 1,
                refusal,
                gates,
                tuple(s.name for s in measured.judgement.statistics if s.pressure > 1),
                change(champion.summary(measured.index, True), champion.reference.summary),
                trained,
                warnings,
            )
        )
        if self.retrains[-1].untrained:
            return  # nobody refused anything, so nothing rests
        if refusal:
            self.pauses.append(Pause(window.end, promotion=False))
        else:
            self._enthrone(candidate, index + 1, window.end)

    def played(self) -> Played:
        count = len(self.steps)
        rates = np.stack(
            [
                np.pad(mine, [(0, 0), (count - mine.shape[1], 0)], constant_values=np.nan)
                for mine in self.rates
            ]
        )
        steps, retrains = tuple(self.steps), tuple(self.retrains)
        return Played(self.first, self.bootstrap, steps, retrains, rates, self.seconds)

    def _enthrone(self, candidate: Candidate, first: int, since: datetime) -> None:
        version = len(self.rates) + 1
        self.champion = Champion(self.spec, self.history, version, candidate, first)
        self.rates.append(self.champion.rates)
        self.readings: dict[int, Reading] = {}
        self.pauses = [Pause(since, promotion=True)]

    def _timed(self, end: datetime, span: timedelta, champion: object) -> Candidate:
        began = perf_counter()
        try:
            return train(self.spec, self.history, end, span, champion)
        finally:
            self.seconds += perf_counter() - began

    def _known(self, index: int, now: datetime) -> bool:
        return self.history.windows[index].end + self.spec.label.delay <= now

    def _judged(self, champion: Champion, index: int, labelled: bool) -> Judgement:
        try:
            return judge(champion.summary(index, labelled), champion.reference, self.spec)
        except NotFinite as error:
            return insufficient(str(error))

    def _reading(self, index: int, said: Judgement) -> Reading:
        window, version = self.history.windows[index], self.champion.version
        return Reading(window, version, said.verdict, said.pressure)

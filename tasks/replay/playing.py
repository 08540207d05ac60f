"""The running values of a play: a champion, its windows, the latch, and who ruled before.

Approvals are taken as given; everything else decides as it would have: the limits, the latch, the
gates, and labels that come late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product, takewhile
from time import perf_counter

import numpy as np

from tasks.arrays import Floats
from tasks.classifier.finite import NotFinite
from tasks.classifier.spans import Tried
from tasks.classifier.training import TrainingError
from tasks.drift import patience
from tasks.drift.attribution import change
from tasks.drift.episode import breach_of
from tasks.drift.latch import Latch, Pause, Reading, fold, windows_to_wait
from tasks.drift.patience import Fresh, Taught
from tasks.drift.verdict import Judgement, insufficient, judge_margins
from tasks.gates.gate_result import GateResult
from tasks.ledger.remembered import Reign, beside, changes, level
from tasks.promotion.returning import SeenBeside, better
from tasks.replay.history import History
from tasks.replay.played import Played, Retrain, Rollback, Step
from tasks.replay.trained_model import Champion, Trained, train_on_history
from tasks.spec.model import ModelSpec
from tasks.spec.windows import labels_awaited_until


@dataclass(frozen=True)
class JudgedWindow:
    """A window as a champion's monitor judged it, with its labels or before they came."""

    index: int
    champion: Champion
    said: Judgement
    labels_known: bool


class Playing:
    """The running values of one play; `heard` are the windows that were judged last."""

    def __init__(
        self,
        spec: ModelSpec,
        history: History,
        first: int,
        span: timedelta,
        bootstrap: Trained | None = None,
    ) -> None:
        self.spec, self.history, self.first = spec, history, first
        self.seconds = 0.0
        start = self.now = history.windows[first].start
        self.reigns: list[Reign] = []
        self.refused: list[datetime] = []
        self.champions: dict[int, Champion] = {}
        self.rollbacks: list[Rollback] = []
        self.bootstrap = bootstrap or self._timed(start, span, None)
        self.heard: list[JudgedWindow] = []
        self.steps: list[Step] = []
        self.retrains: list[Retrain] = []
        self.rates: list[Floats] = []
        self.waiting: list[tuple[int, Champion]] = []
        self._enthrone(self.bootstrap, first, start, None)

    def observe(self, index: int) -> Latch:
        """Measure and judge the window, and earlier ones whose labels came; return the latch."""
        now = self.now = self.history.windows[index].end
        self.heard = []
        ripe = [w for w in self.waiting if self._known(w[0], now)]
        self.waiting = [w for w in self.waiting if w not in ripe]
        for earlier, champion in ripe:
            said = self._judged(champion, earlier, labelled=True)
            self.heard.append(JudgedWindow(earlier, champion, said, True))
            self.steps[earlier - self.first] = replace(
                self.steps[earlier - self.first],
                judgement=said,
                labels=self._labels(earlier, said),
                metric=champion.metric(earlier, said),
            )
            if earlier in self.readings:
                self.readings[earlier] = self._reading(earlier, said)
        champion = self.champion
        known, problem = self._known(index, now), champion.problem(index)
        if problem is not None:
            said = insufficient(problem)
        else:
            said = self._judged(champion, index, known)
            if not known:
                self.waiting.append((index, champion))
        self.heard.append(JudgedWindow(index, champion, said, known))
        labels = self._labels(index, said) if known else {}
        self.readings[index] = self._reading(index, said)
        # What was before the promotion is forgotten with it, so the readings since are enough.
        latch = fold(self.spec.model, self.readings.values(), self.pauses, self.spec.latch).now
        metric = champion.metric(index, said)
        self.steps.append(Step(index, champion.version, said, latch, labels, metric))
        return latch

    def asks(self, index: int) -> bool:
        """Return whether the open episode is asked about now, after what could not be trained."""
        episode = self.steps[-1].latch.episode or ""
        if self.early(index, episode):
            return False
        newest = reversed(self.retrains)
        row = list(takewhile(lambda r: r.episode == episode and r.untrained, newest))
        needed = windows_to_wait(len(row))
        return needed is not None and (not row or index - row[0].index >= needed)

    def retrain(self, index: int) -> None:
        """Act on the open latch: train on the newest rows, and promote what passes."""
        window = self.history.windows[index]
        champion = self.champion
        breach = breach_of(self.steps[-1].latch.episode)
        refusal, trained = None, np.empty(0, np.int64)
        tried: tuple[Tried, ...] = ()
        taken = 0
        gates: tuple[GateResult, ...] = ()
        warnings: tuple[str, ...] = ()
        try:
            asked = changes(self.spec, self.reigns, breach, window.end)
            candidate = self._timed(window.end, self.spec.training.window, champion, asked)
        except TrainingError as error:
            refusal = str(error)
        else:
            gates, trained = candidate.accepted.gates, candidate.trained
            tried, taken = candidate.tried, candidate.taken
            warnings = candidate.accepted.metrics.warnings
            failed = [f"{g.title} ({g.reason})" for g in gates if not g.passed]
            refusal = "; ".join(failed) or None
        measured = next(s for s in reversed(self.steps) if s.judgement.pressure is not None)
        self.retrains.append(
            Retrain(
                index=index,
                episode=self.steps[-1].latch.episode or "",
                version=None if refusal else len(self.rates) + 1,
                refusal=refusal,
                gates=gates,
                above=tuple(s.title for s in measured.judgement.statistics if s.pressure > 1),
                causes=change(champion.summary(measured.index, True), champion.reference.summary),
                trained=trained,
                champion=champion.version,
                tried=tried,
                taken=taken,
                warnings=warnings,
            )
        )
        if self.retrains[-1].untrained:
            return  # nobody refused anything, so nothing rests
        if refusal:
            self.pauses.append(Pause(window.end, promotion=False))
            self.refused.append(window.end)
        else:
            self._enthrone(candidate, index + 1, window.end, breach)

    def promote(self, candidate: Trained, index: int) -> None:
        """Make a candidate champion from a window on, whatever its gates say."""
        self._enthrone(candidate, index, self.history.windows[index].start, None)

    def played(self) -> Played:
        count = len(self.steps)
        rates = np.stack(
            [
                np.pad(mine, [(0, 0), (count - mine.shape[1], 0)], constant_values=np.nan)
                for mine in self.rates
            ]
        )
        steps, retrains = tuple(self.steps), tuple(self.retrains)
        return Played(
            self.first, self.bootstrap, steps, retrains, rates, self.seconds, tuple(self.rollbacks)
        )

    def _enthrone(
        self, candidate: Trained, first: int, since: datetime, breach: datetime | None
    ) -> None:
        version = len(self.rates) + 1
        self.champion = Champion(self.spec, self.history, version, candidate, first)
        self.rates.append(self.champion.rates)
        self._reign(since, breach)

    def _reign(self, since: datetime, breach: datetime | None) -> None:
        self.champions[self.champion.version] = self.champion
        losses = self.champion.reference.summary.losses
        loss = losses.hinge_loss if losses.effective_rows else None
        self.reigns.append(Reign(self.champion.version, since, breach, loss))
        self.readings: dict[int, Reading] = {}
        # The first champion ends no episode, so that nothing rests after it.
        self.pauses = [Pause(since, promotion=True)] if len(self.reigns) > 1 else []

    def early(self, index: int, episode: str) -> str | None:
        """Return why it is too early to ask about the open episode; see `patience`."""
        breach, until = breach_of(episode), self.history.windows[index].end
        began = changes(self.spec, self.reigns, breach, until)
        fresh = [
            Fresh(
                self.history.windows[step.index],
                step.judgement.verdict,
                partial(Taught, step.labels, step.judgement.shows),
            )
            for step in self.steps
            if self.history.windows[step.index].start >= min(began, default=until)
        ]
        return patience.wait(self.spec, fresh, breach)

    def go_back(self, index: int) -> bool:
        """Make an earlier champion champion again if it is shown to be the better one.

        See `returning`: the monitor proposes the same.
        """
        window = self.history.windows[index]
        others = beside(self.spec, self.reigns, window.start)
        if not others:
            return False
        for version, seen in product(others, self._telling()):
            other, labelled = self.champions[version], self._known(seen, window.end)
            new, old = (self._seen(c, seen, labelled) for c in (self.champion, other))
            why = better(self.spec, new, old)
            if why:
                self.rollbacks.append(Rollback(index, self.champion.version, version, why))
                self.champion = other
                self._reign(window.end, None)
                return True
        return False

    def _telling(self) -> list[int]:
        """Return the newest window, and if it has no labels the champion's newest that has them."""
        *earlier, newest = self.steps
        if newest.judgement.labelled:
            return [newest.index]
        since = self.reigns[-1].since
        mine = (s for s in earlier if self.history.windows[s.index].start >= since)
        labelled = [s.index for s in mine if s.judgement.labelled]
        return [newest.index, *labelled[-1:]]

    def _seen(self, champion: Champion, index: int, labelled: bool) -> SeenBeside:
        spread = champion.reference.spread
        if champion.problem(index) is not None:
            return SeenBeside("insufficient", None, spread)
        said = self._judged(champion, index, labelled)
        if not said.labelled:
            return SeenBeside(said.verdict, None, spread)
        return SeenBeside(said.verdict, champion.summary(index, labelled).losses.means, spread)

    def _timed(
        self,
        end: datetime,
        span: timedelta,
        champion: Champion | None,
        asked: tuple[datetime, ...] = (),
    ) -> Trained:
        began = perf_counter()
        try:
            return train_on_history(self.spec, self.history, end, span, champion, asked)
        finally:
            self.seconds += perf_counter() - began

    def _known(self, index: int, now: datetime) -> bool:
        return self.history.windows[index].end + self.spec.label.delay <= now

    def _judged(self, champion: Champion, index: int, labelled: bool) -> Judgement:
        try:
            window, held = self.history.windows[index], None
            reigns = self._reigns(window.start)
            if champion.version == reigns[-1].version:
                held = level(self.spec, reigns, window.end)
            before = None if held is None else self.champions[held].reference
            return judge_margins(
                champion.summary(index, labelled), champion.reference, self.spec, before
            )
        except NotFinite as error:
            return insufficient(str(error))

    def _reigns(self, moment: datetime) -> list[Reign]:
        """Return the reigns as they stood at a moment, which may be that of a late label."""
        *earlier, newest = (r for r in self.reigns if r.since <= moment)
        refused = sum(newest.since < refusal <= moment for refusal in self.refused)
        return [*earlier, replace(newest, refused=refused)]

    def _labels(self, index: int, said: Judgement) -> dict[str, int]:
        """Return the labelled rows of a window by class; none if it could not be measured."""
        if not said.statistics:
            return {}
        label = self.history.label[self.history.rows(index)]
        return {str(n): int((label == i).sum()) for i, n in enumerate(self.spec.label.classes)}

    def _reading(self, index: int, said: Judgement) -> Reading:
        window, version = self.history.windows[index], self.champion.version
        label = self.history.label[self.history.rows(index)]
        lacks = not self._known(index, self.now) or bool((label < 0).any())
        late = self.spec.label.late and lacks and not said.labelled
        awaited = labels_awaited_until(self.spec, window) if late else None
        return Reading(window, version, said.verdict, said.pressure, awaited)

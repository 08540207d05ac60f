"""A champion of a replay: how it is trained, and what it says of all rows to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import calibration, refit, scoring, spans, training
from tasks.classifier.cut import cut_rows
from tasks.classifier.finite import not_finite, wild
from tasks.classifier.spans import Tried
from tasks.drift import scored_rows
from tasks.drift.error_budget import MetricSeen, metric_of_losses
from tasks.drift.loss_sums import Losses
from tasks.drift.summary import Summary
from tasks.drift.verdict import Judgement
from tasks.gates import acceptance
from tasks.gates.acceptance import Acceptance
from tasks.gates.contest import Contender, Contest
from tasks.replay.history import History
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trained:
    """A calibrated model, how it was judged, and the places of the rows it was made of.

    `tried` are the spans that were fit, of which it is the one at `taken`.
    """

    model: Any
    accepted: Acceptance
    trained: Ints
    tried: tuple[Tried, ...] = ()
    taken: int = 0


def fit_on_history(
    spec: ModelSpec, history: History, end: datetime, span: timedelta
) -> tuple[Any, pd.DataFrame, Ints, Ints]:
    """Fit on the oldest slice of the rows of `[end - span, end)` whose label is known at `end`.

    On all of them where the spec refits: nothing judges it.

    Returns
    -------
    The fitted pipeline, and the features, labels and places of all these rows.

    Raises
    ------
    TrainingError
        If these are too few rows, or lack a class.
    """
    places = history.labelled(end - span, end, spec.label.delay)
    frame, label = history.frame.iloc[places].reset_index(drop=True), history.label[places]
    cut = cut_rows(len(label), calibrate=spec.calibration.share, judge=spec.training.judge)
    rows = cut.fit if spec.training.refit == "never" else slice(0, len(label))
    fitted = training.fit(spec, frame[rows], label[rows])
    training.need_enough_to_calibrate(spec, label[cut.calibrate])
    return fitted, frame, label, places


def train_on_history(
    spec: ModelSpec,
    history: History,
    end: datetime,
    span: timedelta,
    champion: Champion | Trained | None,
    changes: Sequence[datetime] = (),
) -> Trained:
    """Return the candidate of the rows of `[end - span, end)` whose label is known at `end`.

    It is the refit one if its gates passed and the spec says so; see `refit`.

    Parameters
    ----------
    changes
        When what is to be learnt began; see `fit_spans`.

    Raises
    ------
    TrainingError
        If these are too few rows, or lack a class.
    """
    places = history.labelled(end - span, end, spec.label.delay)
    rows = history.training_rows(places)
    fitted = spans.fit_spans(spec, rows, Window(end - span, end), changes)
    learns, cut = rows.at(fitted.cut.calibrate), fitted.cut
    model = calibration.learn_probabilities(
        fitted.pipeline, learns.frame, learns.label, spec.calibration.method
    )
    contest = Contest(
        candidate=Contender(model=model, spec_digest=spec.digest),
        champion=None if champion is None else Contender(model=champion.model),
    )
    accepted = acceptance.judge_candidate(spec, contest, rows, cut, span)
    if accepted.passed and spec.training.refit == "accepted":
        model = refit.refit(spec, fitted.pipeline, rows, cut)
    learning = fitted.learning
    return Trained(model, accepted, places, learning.tried, learning.taken)


class Champion:
    """A version and its decision values of all rows from the window `first` on.

    `rates` are its accuracy, hinge loss and violation rate in each of these windows, shape
    (3, windows), NaN where no label is known.
    """

    def __init__(
        self, spec: ModelSpec, history: History, version: int, candidate: Trained, first: int
    ) -> None:
        self.version = version
        self.model = candidate.model
        self.reference = candidate.accepted.reference
        self.hinge_gap = candidate.accepted.metrics.hinge_gap
        self._spec, self._history = spec, history
        self._base = int(history.edges[first])
        frame = history.frame.iloc[self._base :]
        if len(frame):
            with np.errstate(over="ignore", invalid="ignore"):  # such windows are named
                self._decision, self._inputs = scoring.score(self.model, frame)
            self._wild: Ints = np.flatnonzero(wild(self._decision))
            self.rates: Floats = history.rates(self._decision, first)
        else:
            self._wild = np.empty(0, np.int64)
            self.rates = np.full((3, len(history.windows) - first), np.nan)
        self._alive = self._varying(frame)
        self._last: tuple[tuple[int, bool], Summary] | None = None

    def _varying(self, frame: pd.DataFrame) -> dict[str, Ints]:
        """Return the rows in which a feature varies that was constant in the reference."""
        if self._spec.validation.constant_feature == "measure":
            return {}
        moments = self.reference.summary.features
        return {
            name: np.flatnonzero(~np.isclose(frame[name].to_numpy(), m.mean, rtol=1e-9, atol=0))
            for name, m in moments.items()
            if m.constant
        }

    def problem(self, index: int) -> str | None:
        """Return why the monitor would not measure the window, or None."""
        rows = self._mine(index)
        for name, places in self._alive.items():
            first, last = np.searchsorted(places, [rows.start, rows.stop])
            if last > first:
                return (
                    f"{name} was constant in the reference, now {last - first:,} rows differ; "
                    "repair it, or set validation.constant_feature: measure"
                )
        first, last = np.searchsorted(self._wild, [rows.start, rows.stop])
        if last > first:
            return not_finite(int(last - first))
        return self._history.problems[index]

    def summary(self, index: int, labelled: bool) -> Summary:
        """Return the summary of a window that has rows, with its labels or without.

        The last one is kept: a window is judged, and then held against earlier champions.
        """
        if self._last is None or self._last[0] != (index, labelled):
            self._last = (index, labelled), self._summary(index, labelled)
        return self._last[1]

    def metric(self, index: int, said: Judgement) -> MetricSeen | None:
        """Return what the error budget is of, as the window's labels tell it; None without one."""
        slo = self._spec.slo
        if slo is None:
            return None

        def of(summary: Summary) -> float | None:
            classes = [summary.classes.get(str(c), Losses()) for c in self._spec.label.classes]
            return metric_of_losses(slo, summary.losses, classes, self._spec.gates.costs)

        told = said.labelled and said.verdict != "insufficient"
        return MetricSeen(
            window=self._history.windows[index],
            version=self.version,
            value=of(self.summary(index, True)) if told else None,
            reference=of(self.reference.summary),
        )

    def _summary(self, index: int, labelled: bool) -> Summary:
        mine, rows = self._mine(index), self._history.rows(index)
        label, weight = self._history.label[rows], self._history.weight
        return scored_rows.summarise_rows(
            self._spec,
            self.reference.summary.grid,
            self.model,
            self._history.frame.iloc[rows],
            label if labelled else np.full_like(label, -1),
            self._decision[mine],
            self._inputs[mine],
            None if weight is None else weight[rows],
        )

    def _mine(self, index: int) -> slice:
        rows = self._history.rows(index)
        return slice(rows.start - self._base, rows.stop - self._base)

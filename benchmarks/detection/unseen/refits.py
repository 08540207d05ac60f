"""Refits on the newest rows, one before each window, which all other policies share."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import numpy as np

from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.streams import Floats, Ints
from benchmarks.detection.unseen.figures import windows
from tasks.classifier import scoring, training
from tasks.classifier.cut import cut_rows
from tasks.replay import trained_model

# What a refit learns from: the oldest 65 % as the project's retrain does, the rest being kept to
# calibrate and judge; or all rows, as whoever neither calibrates nor judges does.
Rows = Literal["65 %", "all rows"]

_EAGER = 100_000  # rows of a history up to which a model is asked about all windows at once


class Refit:
    """A fitted pipeline, and what it says of the windows to come.

    `newest` are the places of those rows before it which a project's fit does not see.
    """

    def __init__(self, it: Scenario, since: int, pipeline: Any, newest: Ints) -> None:
        self._it, self._since, self._pipeline = it, since, pipeline
        self._reach = windows(it) if len(it.history.label) <= _EAGER else 1
        self._found: dict[int, tuple[Ints, Floats]] = {}
        self._newest = newest

    @cached_property
    def reference(self) -> Floats:
        """Return the scores of the newest 35 % of the rows before it, shape (n,)."""
        return self._ask(self._newest)[1]

    def said(self, window: int) -> Ints:
        """Return the class that it gives each row of a window, shape (n,)."""
        return self._of(window)[0]

    def score(self, window: int) -> Floats:
        """Return the decision values of a window; of several classes, how far the best leads."""
        return self._of(window)[1]

    def _of(self, window: int) -> tuple[Ints, Floats]:
        if window not in self._found:
            asked = range(window, min(window + self._reach, windows(self._it)))
            edges = self._it.history.edges[self._it.first :]
            said, score = self._ask(np.arange(edges[asked.start], edges[asked.stop]))
            cuts = edges[asked.start + 1 : asked.stop] - edges[asked.start]
            parts = zip(np.split(said, cuts), np.split(score, cuts), strict=True)
            self._found |= dict(zip(asked, parts, strict=True))
        return self._found[window]

    def _ask(self, places: Ints) -> tuple[Ints, Floats]:
        decision = scoring.decision_values(self._pipeline, self._it.history.frame.iloc[places])
        classes = self._pipeline.classes_
        if decision.ndim == 1:
            return classes[(decision > 0).astype(np.int64)], decision
        best = np.partition(decision, -2, axis=1)
        return classes[decision.argmax(axis=1)], best[:, -1] - best[:, -2]


class Refits:
    """The refits of a scenario by the window from which on they rule, each trained once.

    That from 0 on is the first champion, whatever the others learn from.
    """

    def __init__(self, it: Scenario) -> None:
        self._it = it
        self._found: dict[tuple[int, Rows], Refit | None] = {}

    def at(self, window: int, rows: Rows) -> Refit | None:
        """Return the refit of the rows before a window; None if these are of one class."""
        key = (window, rows if window else "65 %")
        if key not in self._found:
            self._found[key] = self._fit(*key)
        return self._found[key]

    @property
    def first(self) -> Refit:
        """Return the first champion."""
        found = self.at(0, "65 %")
        assert found is not None
        return found

    def _fit(self, window: int, rows: Rows) -> Refit | None:
        from sklearn.exceptions import ConvergenceWarning

        it = self._it
        spec, history = it.spec, it.history
        end = history.windows[it.first + window].start
        span = spec.training.window if window else it.span
        places = history.labelled(end - span, end, spec.label.delay)
        cut = cut_rows(len(places), calibrate=spec.calibration.share, judge=spec.training.judge)
        fitted = places[cut.fit] if rows == "65 %" else places
        newest = places[cut.calibrate.start :]
        if not window and (model := self._project(end, span)):
            return Refit(it, window, model, newest)
        label = history.label[fitted]
        if len(np.unique(label)) < 2:
            return None
        # Not the project's own fit, which may want every class: a plain refit takes what is there.
        pipeline = training.pipeline(spec, rows=len(fitted))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(history.frame.iloc[fitted], label)
        return Refit(it, window, pipeline, newest)

    def _project(self, end: datetime, span: timedelta) -> Any | None:
        """Return the project's own first champion, so that all begin alike; None if it has none."""
        from sklearn.exceptions import ConvergenceWarning

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return trained_model.train_on_history(
                    self._it.spec, self._it.history, end, span, None
                ).model
        except training.TrainingError:
            return None

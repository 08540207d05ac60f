"""The project's policy, played on one stream by the project's own replay."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np

from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.streams import Floats, Ints
from benchmarks.detection.unseen.figures import Outcome, Reign, outcome
from tasks.classifier.training import TrainingError
from tasks.replay.history import History
from tasks.replay.played import Played
from tasks.replay.trial import trial


class _Watched(History):
    """A history that keeps what each model decides of its rows, for the recalls of the classes."""

    decided: list[tuple[int, Floats, Floats]]

    def rates(self, decision: Floats, first: int) -> Floats:
        found = super().rates(decision, first)
        self.decided.append((first, decision, found))
        return found


class _Decided:
    """A model that decided about all rows from the window `since` of the history on."""

    def __init__(self, it: Scenario, since: int, decision: Floats) -> None:
        self._it, self._base, self._decision = it, int(it.history.edges[since]), decision

    def said(self, window: int) -> Ints:
        rows = self._it.history.rows(self._it.first + window)
        part = self._decision[rows.start - self._base : rows.stop - self._base]
        return np.asarray(part.argmax(axis=1) if part.ndim > 1 else part > 0, dtype=np.int64)


def play(it: Scenario, never: Outcome) -> Outcome:
    """Play the project's policy at the scenario's spec, approvals given.

    What cannot be played ends where `never` does, with the reason.
    """
    from sklearn.exceptions import ConvergenceWarning

    history = _Watched(**{f.name: getattr(it.history, f.name) for f in fields(it.history)})
    object.__setattr__(history, "decided", [])
    start = it.history.windows[it.first].start
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            tried = trial(it.spec, history, start, it.span, lambda name, total: lambda: None)
    except TrainingError as error:
        return replace(never, problem=str(error))
    played = tried.played
    versions = [step.version for step in played.steps]
    refusals = [retrain for retrain in played.retrains if retrain.version is None]
    return replace(
        outcome(it, reigns(it, history, played)),
        returned=sum(new < old for old, new in pairwise(versions)),
        refused=sum(not retrain.untrained for retrain in refusals),
        untrained=sum(retrain.untrained for retrain in refusals),
        blind=sum(step.judgement.verdict == "insufficient" for step in played.steps),
    )


def reigns(it: Scenario, history: _Watched, played: Played) -> list[Reign]:
    """Return the reigns of a play's champions; one that came back has two."""
    versions = [step.version for step in played.steps]
    starts = [w for w, version in enumerate(versions) if versions[max(w - 1, 0)] != version]
    return [
        Reign(since, _model(it, history, played.rates[versions[since] - 1]))
        for since in (0, *starts)
    ]


def _model(it: Scenario, history: _Watched, rates: Floats) -> _Decided:
    """Return the model that the history saw have these rates, from its first reign on."""
    for since, decision, found in history.decided:
        if np.array_equal(rates[:, since - it.first :], found, equal_nan=True):
            return _Decided(it, since, decision)
    raise LookupError("the play has a champion whose decisions the history did not see")

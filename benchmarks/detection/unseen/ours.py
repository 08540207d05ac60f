"""The project's policy, played on one stream by the project's own replay."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.streams import Floats, Ints
from tasks.history import History
from tasks.training import TrainingError
from tasks.trial import trial


@dataclass(frozen=True)
class Reign:
    """A model from the monitored window `since` on; windows are counted from the first champion's.

    `said` holds the class that it gives each row from `since` on, shape (n,); None if not known.
    """

    since: int
    said: Ints | None


@dataclass(frozen=True)
class Outcome:
    """What a policy did on one stream; rates are shares of the monitored windows or rows.

    `never` is the accuracy of the first champion, had it ruled for ever. `retrains` lists the
    monitored windows from which on another model ruled; `vain` counts those of them that were no
    better until the next than the one before; `refused` and `untrained` count proposals that
    promoted nothing, `blind` windows without a verdict. `problem` says why nothing was played.
    """

    accuracy: float = float("nan")
    balanced: float = float("nan")
    never: float = float("nan")
    retrains: tuple[int, ...] = ()
    vain: int = 0
    refused: int = 0
    untrained: int = 0
    blind: int = 0
    problem: str = ""


class _Watched(History):
    """A history that keeps what each model decides of its rows, for the recalls of the classes."""

    decided: list[tuple[int, Floats, Floats]]

    def rates(self, decision: Floats, first: int) -> Floats:
        found = super().rates(decision, first)
        self.decided.append((first, decision, found))
        return found


def play(it: Scenario) -> Outcome:
    """Play the project's policy at the scenario's spec, approvals given."""
    from sklearn.exceptions import ConvergenceWarning

    history = _Watched(**{f.name: getattr(it.history, f.name) for f in fields(it.history)})
    object.__setattr__(history, "decided", [])
    start = it.history.windows[it.first].start
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            tried = trial(it.spec, history, start, it.span, lambda name, total: lambda: None)
    except TrainingError as error:
        return Outcome(problem=str(error))
    played = tried.played
    ruling = np.array([step.version - 1 for step in played.steps])
    changes = 1 + np.flatnonzero(np.diff(ruling))
    ends = [*changes.tolist(), len(ruling)]
    accuracy = played.rates[:, 0]
    vain = sum(
        bool(np.nanmean(accuracy[ruling[a], a:b]) <= np.nanmean(accuracy[ruling[a - 1], a:b]))
        for a, b in pairwise(ends)
    )
    said = np.full(int(it.history.edges[-1] - it.history.edges[it.first]), -1)
    for since, until in pairwise([0, *ends]):
        rows = slice(
            int(it.history.edges[it.first + since]), int(it.history.edges[it.first + until])
        )
        said[_from(it, rows)] = _classes(history, played.rates[ruling[since]], it.first, rows)
    refusals = [retrain for retrain in played.retrains if retrain.version is None]
    return Outcome(
        accuracy=float(np.nanmean(accuracy[ruling, np.arange(len(ruling))])),
        balanced=balanced(said, it.history.label[int(it.history.edges[it.first]) :]),
        never=float(np.nanmean(accuracy[0])),
        retrains=tuple(changes.tolist()),
        vain=vain,
        refused=sum(not retrain.untrained for retrain in refusals),
        untrained=sum(retrain.untrained for retrain in refusals),
        blind=sum(step.judgement.verdict == "insufficient" for step in played.steps),
    )


def balanced(said: Ints, label: Ints) -> float:
    """Return the mean of the recalls of the classes that the labels hold."""
    return float(np.mean([(said[label == c] == c).mean() for c in np.unique(label[label >= 0])]))


def _from(it: Scenario, rows: slice) -> slice:
    base = int(it.history.edges[it.first])
    return slice(rows.start - base, rows.stop - base)


def _classes(history: _Watched, rates: Floats, first: int, rows: slice) -> Ints:
    """Return what the model with these rates, from the window `first` on, says of the rows."""
    for since, decision, mine in history.decided:
        if np.array_equal(rates[:, since - first :], mine, equal_nan=True):
            base = int(history.edges[since])
            part = decision[rows.start - base : rows.stop - base]
            return np.asarray(part.argmax(axis=1) if part.ndim > 1 else part > 0, dtype=np.int64)
    raise LookupError("the play has a champion whose decisions the history did not see")

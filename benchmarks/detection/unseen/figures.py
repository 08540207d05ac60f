"""What a policy brought: the reigns of its models, measured on the rows that came after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.streams import Ints

# Windows are counted from the first champion's first.


Means = Sequence[float] | float  # of one seed, or of several


class Model(Protocol):
    """Whatever says a class of each row of a window."""

    def said(self, window: int) -> Ints:
        """Return the class that it gives each row of a window, shape (n,)."""
        ...


@dataclass(frozen=True)
class Reign:
    """A model that rules from the window `since` on."""

    since: int
    model: Model


@dataclass(frozen=True)
class Outcome:
    """What a policy did on one stream of one seed.

    `accuracy` is the mean over the monitored windows, `balanced` the mean of the classes' recalls
    over their rows. `retrains` are the windows from which on another model ruled; `vain` counts
    those that were no better until the next one than the model before would have been, `returned`
    those to a model that had ruled before; `refused` and `untrained` count proposals that promoted
    nothing, `blind` windows without a verdict.
    `problem` says why nothing could be played; the first champion's figures stand there then.
    """

    accuracy: float
    balanced: float
    retrains: tuple[int, ...] = ()
    vain: int = 0
    returned: int = 0
    refused: int = 0
    untrained: int = 0
    blind: int = 0
    problem: str = ""

    def delay(self, change: int) -> int | None:
        """Return the windows from a change until another model rules; None if none does."""
        return next((since - change for since in self.retrains if since > change), None)


@dataclass(frozen=True)
class Result:
    """What each policy did on one stream of one seed; `first` is its first monitored window."""

    stream: str
    seed: int
    first: int
    windows: int
    outcomes: dict[str, Outcome]


def windows(it: Scenario) -> int:
    """Return the number of monitored windows."""
    return len(it.history.windows) - it.first


def truth(it: Scenario, window: int) -> Ints:
    """Return the labels of a window's rows, -1 where not known."""
    return it.history.label[it.history.rows(it.first + window)]


def accuracy(it: Scenario, model: Model, window: int) -> float:
    """Return the share of a window's labelled rows that a model gets right; NaN without any."""
    label = truth(it, window)
    known = label >= 0
    return float((model.said(window) == label)[known].mean()) if known.any() else float("nan")


def outcome(it: Scenario, reigns: Sequence[Reign]) -> Outcome:
    """Return what a sequence of reigns brings, the first one from 0 on."""
    ends = [*(reign.since for reign in reigns), windows(it)]
    rates: list[float] = []
    said: list[Ints] = []
    vain = 0
    for index, (since, until) in enumerate(pairwise(ends)):
        model = reigns[index].model
        mine = [accuracy(it, model, w) for w in range(since, until)]
        if index:
            before = [accuracy(it, reigns[index - 1].model, w) for w in range(since, until)]
            vain += bool(np.nanmean(mine) <= np.nanmean(before))
        rates += mine
        said += [model.said(w) for w in range(since, until)]
    label = np.concatenate([truth(it, w) for w in range(windows(it))])
    retrains = tuple(reign.since for reign in reigns[1:])
    return Outcome(float(np.nanmean(rates)), balanced(np.concatenate(said), label), retrains, vain)


def balanced(said: Ints, label: Ints) -> float:
    """Return the mean of the recalls of the classes that the labels hold."""
    return float(np.mean([(said[label == c] == c).mean() for c in np.unique(label[label >= 0])]))


def share(mine: Means, never: Means, trailing: Means) -> float:
    """Return the share of the trailing refit's gain over never that a policy brings.

    Seeds are averaged before they are divided: a seed with little to gain would outweigh others.
    """
    gain = float(np.mean(trailing) - np.mean(never))
    return float(np.mean(mine) - np.mean(never)) / gain

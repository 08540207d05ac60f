"""Where an incident happens: a stretch of a model's history, its champion, and the window. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import numpy as np

from tasks.arrays import Floats, Ints, Mask
from tasks.classifier import scoring
from tasks.classifier.finite import wild
from tasks.classifier.linear import Linear, linear
from tasks.classifier.margins import error, margin
from tasks.errors import Final
from tasks.replay.history import History
from tasks.replay.trained_model import Trained
from tasks.spec.model import ModelSpec

_SAMPLE = 5_000  # rows that tell what a model weighs


class NotApplicable(Final):
    """An incident that a model cannot have: says what it would need."""


@dataclass(frozen=True)
class Incident:
    """A history in which something happened.

    `truth` is what each row's decision should have been, shape (n,), -1 where nobody knows it; of
    rows that the monitor gets. `columns` are the features that were changed. `delay` is by how much
    labels come later. `candidate` is promoted at the onset by hand, `asked` is offered to the gates
    there, and promoted only if they let it pass.
    """

    history: History
    truth: Ints
    columns: tuple[str, ...] = ()
    delay: timedelta = timedelta(0)
    candidate: Trained | None = None
    asked: Trained | None = None


@dataclass(frozen=True)
class Scene:
    """A stretch of history, its champion, the window `onset` in which an incident begins, a seed.

    The champion rules from the window `first` on.
    """

    spec: ModelSpec
    history: History
    first: int
    onset: int
    span: timedelta
    champion: Trained
    seed: int = 0

    @property
    def before(self) -> slice:
        """Return the rows before the incident."""
        return slice(0, int(self.history.edges[self.onset]))

    @property
    def since(self) -> slice:
        """Return the rows from the incident on."""
        return slice(int(self.history.edges[self.onset]), int(self.history.edges[-1]))

    @property
    def windows(self) -> int:
        """Return how many windows there are from the incident on."""
        return len(self.history.windows) - self.onset

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @cached_property
    def errors(self) -> Floats | None:
        """Return the share of the champion's wrong decisions in each window of no incident."""
        return errors_of(self.champion, self.history, self.history.label, self.onset)

    @cached_property
    def influence(self) -> dict[str, float]:
        """Return the standard deviation of what each feature adds to the scores, largest first."""
        frame = self.history.frame.iloc[self.before].iloc[-_SAMPLE:]
        _, inputs = scoring.score(self.champion.model, frame)
        f = linear(self.champion.model.estimator)
        found = {}
        for name, start, end in zip(f.names, f.first, ends_of(f), strict=True):
            mine = np.zeros_like(f.weights)
            mine[:, start:end] = f.weights[:, start:end]
            found[name] = float(np.sqrt((inputs @ mine.T).var(axis=0).sum()))
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def strongest(self, count: int, *kinds: str) -> tuple[str, ...]:
        """Return the features of these kinds that move the scores most.

        Raises
        ------
        NotApplicable
            If there are fewer.
        """
        features = self.spec.features
        known = [name for kind in kinds for name in getattr(features, kind)]
        found = [name for name, weight in self.influence.items() if name in known and weight > 0]
        if len(found) < count:
            needs = "a feature" if count == 1 else f"{count} features"
            raise NotApplicable(f"needs {needs} that is {' or '.join(kinds)}, with a weight")
        return tuple(found[:count])

    def with_column(self, name: str, change: Callable[[Floats], Floats]) -> Incident:
        """Return the incident in which a numeric feature is another from the onset on."""
        values = self.history.frame[name].to_numpy(np.float64, copy=True)
        values[self.since] = change(values[self.since])
        history = replace(self.history, frame=self.history.frame.assign(**{name: values}))
        return Incident(history, self.history.label, (name,))

    def with_labels(self, label: Ints, truth: Ints | None = None) -> Incident:
        """Return the incident in which labels are others from the onset on."""
        return Incident(
            replace(self.history, label=label), self.history.label if truth is None else truth
        )


def errors_of(ruling: Trained, history: History, truth: Ints, onset: int) -> Floats | None:
    """Return the share of wrong decisions in each window, NaN without a label; None if it has none.

    Production decides of all rows, whatever the monitor puts aside.
    """
    rows = slice(int(history.edges[onset]), int(history.edges[-1]))
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            decision = scoring.decision_values(ruling.model, history.frame.iloc[rows])
    except (ValueError, TypeError, AttributeError):  # a feature that is missing has no score
        return None
    label = truth[rows]
    if wild(decision).any():
        return None
    wrong = np.where(label >= 0, error(margin(decision, np.maximum(label, 0))), 0.0)
    edges = history.edges[onset:] - history.edges[onset]
    sums = np.concatenate([[0.0], np.cumsum(wrong)])[edges]
    known = np.concatenate([[0], np.cumsum(label >= 0)])[edges]
    with np.errstate(invalid="ignore"):
        shares: Floats = np.diff(sums) / np.diff(known)
    return shares


def ends_of(f: Linear) -> list[int]:
    """Return where the inputs of each feature end."""
    return [*f.first[1:], f.weights.shape[1]]


def without_rows(history: History, gone: Mask) -> History:
    """Return a history without some of its rows, shape (n,)."""
    kept = ~gone
    before = np.concatenate([[0], np.cumsum(kept)])
    return replace(
        history,
        edges=before[history.edges],
        times=history.times[kept],
        frame=history.frame[kept].reset_index(drop=True),
        label=history.label[kept],
        weight=None if history.weight is None else history.weight[kept],
        columns={name: values[kept] for name, values in history.columns.items()},
    )


def cut_out(history: History, start: int, stop: int) -> History:
    """Return the windows `start` to `stop` of a history, and their rows."""
    rows = slice(int(history.edges[start]), int(history.edges[stop]))
    return replace(
        history,
        windows=history.windows[start:stop],
        problems=history.problems[start:stop],
        edges=history.edges[start : stop + 1] - rows.start,
        times=history.times[rows],
        frame=history.frame.iloc[rows].reset_index(drop=True),
        label=history.label[rows],
        weight=None if history.weight is None else history.weight[rows],
        columns={name: values[rows] for name, values in history.columns.items()},
    )

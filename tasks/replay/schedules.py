"""What other schedules would have brought: never, every k windows, the best in hindsight.

All of them come from one matrix: how a model trained before one window did in each later one.
Their models are trained as the policy's are, and no gate stands in their way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import scoring
from tasks.classifier.training import TrainingError
from tasks.replay.history import History
from tasks.replay.trained_model import fit_on_history
from tasks.spec.model import ModelSpec

MOST_FITS = 160  # models in a matrix


@dataclass(frozen=True)
class Matrix:
    """How each model did in each window; windows are counted from the first champion's first.

    `starts` says from which window on each model could rule, ascending, the first one from 0 on;
    `rates` are its accuracy, hinge loss and violation rate, shape (models, 3, windows), NaN before
    that window and where no label is known; `trained` the places of the rows it was made of.
    `stride` is the distance of windows before which a model was trained.
    """

    starts: Ints
    rates: Floats
    trained: tuple[Ints, ...]
    stride: int

    def rulers(self, retrains: tuple[int, ...]) -> Ints:
        """Return which model rules each window, if these are the windows before which to retrain.

        Where no model could be trained, the one before stays.
        """
        asked = np.flatnonzero(np.isin(self.starts, retrains))
        changes = np.zeros(self.rates.shape[2], dtype=np.int64)
        changes[self.starts[asked]] = asked
        return np.maximum.accumulate(changes)

    def possible(self, retrains: tuple[int, ...]) -> tuple[int, ...]:
        """Return the windows before which these retrains can happen, each once."""
        return tuple(int(s) for s in self.starts[1:] if s in retrains)

    def every(self, k: int) -> tuple[int, ...]:
        """Return the windows before which a schedule retrains every k windows.

        Where models are thinned out, the nearest one's.
        """
        wanted = range(k, self.rates.shape[2], k)
        nearest = {round(w / self.stride) * self.stride for w in wanted}
        return self.possible(tuple(nearest))


def matrix(
    spec: ModelSpec,
    history: History,
    first: int,
    span: timedelta,
    advance: Callable[[], None] = lambda: None,
) -> Matrix:
    """Train a model before each window from `first` on, at most MOST, and score what follows.

    Parameters
    ----------
    span
        Event time of the first model's rows; the others have `training.window`.
    advance
        Called after each model.

    Raises
    ------
    TrainingError
        If the first model cannot be trained; others are left out.
    """
    count = len(history.windows) - first
    found = []
    for start in range(0, count, stride(count)):
        index = first + start
        try:
            fitted, _, _, places = fit_on_history(
                spec,
                history,
                history.windows[index].start,
                spec.training.window if start else span,
            )
        except TrainingError:
            if not start:
                raise
        else:
            frame = history.frame.iloc[history.edges[index] :]
            rates = np.full((3, count), np.nan)
            if len(frame):
                with np.errstate(over="ignore", invalid="ignore"):  # rates leave such rows out
                    decision = scoring.decision_values(fitted, frame)
                rates[:, start:] = history.rates(decision, index)
            found.append((start, rates, places))
        advance()
    starts, rates, trained = zip(*found, strict=True)
    return Matrix(np.array(starts), np.stack(rates), trained, stride(count))


def stride(windows: int) -> int:
    """Return the distance of windows at which at most MOST models are trained."""
    return -(-windows // MOST_FITS)


def best(accuracy: Floats, starts: Ints, most: int) -> tuple[tuple[int, ...], ...]:
    """Return the best windows to retrain before, for exactly 0, 1, … `most` retrains.

    It knows the future: the sum of the windows' accuracies is as high as these models allow. By
    dynamic programming over the first retrain of each remainder (Bellman, 1957).

    Parameters
    ----------
    accuracy
        Of each model in each window, shape (models, windows); NaN counts as 0.
    starts
        From which window on each model can rule, ascending, the first one from 0 on.
    """
    models, windows = accuracy.shape
    until = np.pad(np.nancumsum(accuracy, axis=1), [(0, 0), (1, 0)])
    own = until[np.arange(models), starts]
    # gain[i, j]: what model i brings from its own start until model j takes over.
    gain = until[:, starts] - own[:, None]
    gain[np.tril_indices(models)] = -np.inf
    value = until[:, windows] - own
    schedules: list[tuple[int, ...]] = [()]
    choices: list[Ints] = []
    for _ in range(min(most, models - 1)):
        total = gain + value
        choices.append(total.argmax(axis=1))
        value = total.max(axis=1)
        at, found = 0, []
        for choice in reversed(choices):
            at = int(choice[at])
            found.append(int(starts[at]))
        schedules.append(tuple(found))
    return tuple(schedules)

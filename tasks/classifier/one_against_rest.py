"""A calibration map of each class against the rest: how maps of one column make a calibrator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.calibrator import opening

FEWEST_ROWS = 10  # rows of a class, and of the others, that a calibration of its own rests on
_SHOWN_CLASSES = 6


class CalibrationMap(Protocol):
    """One column of decision values → the probability of its class: a module with these."""

    LEADING: tuple[str, str]  # the parameter that stands for all where classes are many; its name

    def learn(self, decision: Floats, hit: Ints, /) -> Any:
        """Return the fitted map.

        Parameters
        ----------
        decision
            Decision values of the class, shape (n,).
        hit
            1 where a row is of the class, else 0; shape (n,).
        """

    def never(self) -> Any:
        """Return a map that says 0 whatever the score."""

    def possible(self, learnt: Any, /) -> bool:
        """Return whether any score is probable: not where it is `never`."""

    def as_often(self, learnt: Any, factor: float, /) -> Any:
        """Return the map with its odds multiplied (Saerens et al., 2002)."""

    def mirrored(self, learnt: Any, /) -> Any:
        """Return the map of -f to the other class of two."""

    def slope(self, learnt: Any, /) -> float:
        """Return a finite number, positive where larger scores are more probable."""

    def sigmoid(self, learnt: Any, /) -> tuple[float, float] | None:
        """Return (a, b) if it is p = 1 / (1 + exp(a·f + b))."""

    def parameters(self, learnt: Any, decision: Floats, /) -> dict[str, float]:
        """Return its parameters, JSON-ready; `decision` are the values that it learnt of."""

    def told(self, each: Mapping[str, Mapping[str, float]], /) -> str:
        """Return the parameters of each class as people read them, without a full stop."""


@dataclass(frozen=True)
class OneAgainstRest:
    """A calibration map for each class; of more than two, made to sum to 1.

    A class with fewer than `FEWEST_ROWS` rows, with it or without it, takes what is learnt of the
    scores of all classes together, its odds brought to how often the class came (Saerens et al.,
    2002). One that the model was not fit on is never probable.
    """

    calibration_map: CalibrationMap
    scheme: str = "sigmoid"
    rows_needed: int = 0
    by_class: bool = True

    def learn(self, decision: Floats, label: Ints, learnt: Ints, answered: Ints) -> list[Any]:
        own = self.calibration_map
        if decision.ndim == 1:
            return [own.learn(decision, label)]
        hits = (label[:, np.newaxis] == np.arange(decision.shape[1])).astype(np.int64)
        rows = hits.sum(axis=0)
        few = np.minimum(rows, len(label) - rows) < FEWEST_ROWS

        @cache
        def together() -> Any:
            return own.learn(decision[:, learnt].ravel(), hits[:, learnt].ravel())

        def of(i: int) -> Any:
            if i not in answered:
                return own.never()
            if few[i] or i not in learnt:
                return own.as_often(together(), _odds(hits[:, i]) / _odds(hits[:, learnt]))
            return own.learn(decision[:, i], hits[:, i])

        return [of(i) for i in range(len(rows))]

    def probabilities(self, calibrators: Sequence[Any], decision: Floats) -> Floats:
        if decision.ndim == 1:
            positive = np.asarray(calibrators[0].predict(decision))
            return np.stack([1 - positive, positive]).T  # each column in one piece
        pairs = zip(calibrators, decision.T, strict=True)
        each: Floats = np.column_stack([calibrator.predict(scores) for calibrator, scores in pairs])
        total = each.sum(axis=1, keepdims=True)
        even: Floats = np.full_like(each, 1 / each.shape[1])
        return np.asarray(np.divide(each, total, out=even, where=total != 0))

    def slopes(self, calibrators: Sequence[Any]) -> tuple[float, ...]:
        own = self.calibration_map
        return tuple(own.slope(c) for c in calibrators if own.possible(c))

    def sigmoid(self, calibrators: Sequence[Any]) -> tuple[float, float] | None:
        (calibrator,) = calibrators
        return self.calibration_map.sigmoid(calibrator)

    def parameters(
        self, calibrators: Sequence[Any], decision: Floats, classes: tuple[str, ...]
    ) -> dict[str, Any]:
        own = self.calibration_map
        columns = [decision] if decision.ndim == 1 else list(decision.T)
        triples = zip(classes[-len(columns) :], calibrators, columns, strict=True)
        each = {n: own.parameters(c, f) if own.possible(c) else {} for n, c, f in triples}
        return {"classes": each}

    def sentence(self, parameters: Mapping[str, Any]) -> str:
        each = {name: c for name, c in parameters["classes"].items() if c}
        if len(each) <= _SHOWN_CLASSES:
            return f"{opening(parameters)}: {self.calibration_map.told(each)}."
        key, name = self.calibration_map.LEADING
        ends = [f"{end(c[key] for c in each.values()):.4g}" for end in (min, max)]
        return (
            f"{opening(parameters)}, a function for each of {len(each)} classes: "
            f"{name} {' to '.join(ends)}."
        )

    def widened(self, calibrators: Sequence[Any], places: Sequence[int]) -> list[Any]:
        own, old = self.calibration_map, list(calibrators)
        if len(old) == 1:
            old = [own.mirrored(old[0]), *old]
        return [deepcopy(old[i]) if i >= 0 else own.never() for i in places]


def _odds(hit: Ints) -> float:
    """Return how often against how often not; one of either is added, as Platt does."""
    return float((hit.sum() + 1) / (hit.size - hit.sum() + 1))

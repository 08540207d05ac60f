"""What every method of calibration keeps to: from decision values to the sentence of a brief."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tasks.arrays import Floats, Ints


class Calibrator(Protocol):
    """Learns probabilities from decision values, and describes what it learnt.

    What is learnt is a list of fitted objects with a `predict`, which scikit-learn's
    `CalibratedClassifierCV` calls. They go into the model's file, so they are of types that
    `skops_file.TRUSTED` names, or that skops trusts itself.
    """

    @property
    def scheme(self) -> str:
        """The method of `CalibratedClassifierCV` that applies what is learnt in this way."""

    @property
    def by_class(self) -> bool:
        """Whether each class is learnt against the rest, and so needs rows of its own."""

    @property
    def rows_needed(self) -> int:
        """Rows of the calibration slice below which it is refused."""

    def learn(self, decision: Floats, label: Ints, learnt: Ints, answered: Ints, /) -> list[Any]:
        """Return the learnt functions: one for each column of decision values, or one for all.

        Parameters
        ----------
        decision
            Decision values, shape (n,) for two classes or (n, k) for k > 2.
        label
            Index of the true class, shape (n,).
        learnt, answered
            Indices of the classes that the values know, and of those that get a probability.
        """

    def probabilities(self, calibrators: Sequence[Any], decision: Floats, /) -> Floats:
        """Return what the model's `predict_proba` says of decision values, shape (n, k)."""

    def slopes(self, calibrators: Sequence[Any], /) -> tuple[float, ...]:
        """Return finite numbers, positive where larger scores are more probable.

        Classes that the model was not fit on have none.
        """

    def sigmoid(self, calibrators: Sequence[Any], /) -> tuple[float, float] | None:
        """Return (a, b) if, of two classes, it is p = 1 / (1 + exp(a·f + b))."""

    def parameters(
        self, calibrators: Sequence[Any], decision: Floats, classes: tuple[str, ...], /
    ) -> dict[str, Any]:
        """Return JSON-ready parameters; see `calibration_fit.calibration_parameters`."""

    def sentence(self, parameters: Mapping[str, Any], /) -> str:
        """Return for a person what was learnt, and how sure that is.

        `parameters` are those of `calibration_fit.calibration_parameters`: with `method`, `rows`.
        """

    def widened(self, calibrators: Sequence[Any], places: Sequence[int], /) -> list[Any]:
        """Return the calibrators of more than two classes, some of which were not known.

        `places` holds for each class its index among the known ones, or -1.
        """


def opening(parameters: Mapping[str, Any]) -> str:
    """Return how a sentence on a calibration begins."""
    return f"Probabilities by `{parameters['method']}` on {parameters['rows']} rows"

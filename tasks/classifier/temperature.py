"""One temperature: softmax(β·f), of two classes 1 / (1 + exp(-2β·f)) (Guo et al., 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.calibrator import opening

_FLAT = 1e-4  # β is searched from exp(-10) on


@dataclass(frozen=True)
class Temperature:
    """One number for all classes together: no class needs rows of its own."""

    scheme: str = "temperature"
    by_class: bool = False
    rows_needed: int = 0

    def learn(self, decision: Floats, label: Ints, learnt: Ints, answered: Ints) -> list[Any]:
        from sklearn.calibration import _TemperatureScaling

        return [_TemperatureScaling().fit(decision, label)]

    def probabilities(self, calibrators: Sequence[Any], decision: Floats) -> Floats:
        return np.asarray(calibrators[0].predict(decision))

    def slopes(self, calibrators: Sequence[Any]) -> tuple[float, ...]:
        """Return β, 0 where the search ran into its end, because the scores say nothing."""
        beta = _beta(calibrators)
        return (beta if beta > _FLAT else 0.0,)

    def sigmoid(self, calibrators: Sequence[Any]) -> tuple[float, float]:
        return -2 * _beta(calibrators), 0.0

    def parameters(
        self,
        calibrators: Sequence[Any],
        decision: Floats,
        classes: tuple[str, ...],
    ) -> dict[str, Any]:
        """Return `beta` with `beta_error`."""
        logits = np.column_stack([-decision, decision]) if decision.ndim == 1 else decision
        p = self.probabilities(calibrators, decision)
        variance = (p * logits**2).sum(axis=1) - (p * logits).sum(axis=1) ** 2
        error = float(1 / np.sqrt(max(variance.sum(), 1e-300)))
        return {"beta": _beta(calibrators), "beta_error": error}

    def sentence(self, parameters: Mapping[str, Any]) -> str:
        beta, error = parameters["beta"], parameters["beta_error"]
        return f"{opening(parameters)}: β = {beta:.3f} ± {error:.3f}."

    def widened(self, calibrators: Sequence[Any], places: Sequence[int]) -> list[Any]:
        return list(calibrators)


def _beta(calibrators: Sequence[Any]) -> float:
    return float(calibrators[0].beta_)

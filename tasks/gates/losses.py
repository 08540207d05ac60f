"""What a model says of the judged rows, and what each metric makes of it row by row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.margins import error, hinge, margin, violation
from tasks.errors import Final
from tasks.gates.equal_mass import Reliability, reliability
from tasks.spec.gate_options import Costs


class NotComputable(Final):
    """A gate cannot be computed, and says why."""


@dataclass(frozen=True)
class Scored:
    """One model's answers on rows in the order of time, with the truth.

    Parameters
    ----------
    decision
        Decision values, shape (n,) for two classes or (n, k).
    probability
        Class probabilities, shape (n, k).
    truth
        Index of the true class, shape (n,).
    """

    decision: Floats
    probability: Floats
    truth: Ints

    @cached_property
    def margins(self) -> Floats:
        return margin(self.decision, self.truth)

    @cached_property
    def predicted(self) -> Ints:
        """Return the index of the class that is decided for, shape (n,)."""
        if self.decision.ndim == 1:
            return (self.decision > 0).astype(np.int64)
        return np.asarray(self.decision.argmax(axis=1))

    @cached_property
    def reliability(self) -> Reliability:
        return reliability(self.probability, self.truth)


def brier(scored: Scored) -> Floats:
    """Return each row's Brier score (1950): of two classes (p - y)², of more the sum over all."""
    if scored.probability.shape[1] == 2:
        return np.square(scored.probability[:, 1] - scored.truth)
    hit = np.eye(scored.probability.shape[1])[scored.truth]
    return np.asarray(np.square(scored.probability - hit).sum(axis=1))


# Means of these over rows are what the gates of the same name compare.
LOSSES: Mapping[str, Callable[[Scored], Floats]] = {
    "hinge_loss": lambda scored: hinge(scored.margins),
    "error_rate": lambda scored: error(scored.margins).astype(np.float64),
    "violation_rate": lambda scored: violation(scored.margins).astype(np.float64),
    "brier": brier,
}


def loss(name: str, scored: Scored, costs: Costs | None) -> Floats:
    """Return a metric of each row, shape (n,); `cost` is what `costs` asks for its decision.

    Raises
    ------
    NotComputable
        If a row's is no finite number.
    """
    if name == "cost":
        found: Floats = np.asarray(costs, dtype=np.float64)[scored.truth, scored.predicted]
    else:
        found = LOSSES[name](scored)
    wrong = int((~np.isfinite(found)).sum())
    if wrong:
        raise NotComputable(f"the {name} of {wrong} rows is no finite number")
    return found


def rates(scored: Scored, costs: Costs | None = None) -> dict[str, float]:
    """Return accuracy, the mean of each loss, and both calibration errors."""
    names = [*LOSSES, "cost"] if costs else [*LOSSES]
    means = {name: float(loss(name, scored, costs).mean()) for name in names}
    calibrated = scored.reliability
    return {
        "accuracy": 1 - means["error_rate"],
        **means,
        "calibration_error": calibrated.expected_error,
        "max_calibration_error": calibrated.maximum_error,
    }

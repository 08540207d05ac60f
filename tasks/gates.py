"""Candidate against champion on the same rows: named gates with their figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tasks.margins import Floats, error, hinge, violation
from tasks.spec import Gate, Gates

_RESAMPLES = 2000
_LOSSES = {"hinge_loss": hinge, "error_rate": error, "violation_rate": violation}


@dataclass(frozen=True)
class GateResult:
    """One comparison: passed or not, with its figures.

    `low` and `high` bound candidate - champion; None where there is nothing to compare with.
    """

    name: str
    passed: bool
    candidate: float
    champion: float | None
    low: float | None
    high: float | None
    reason: str


def judge(
    gates: Gates,
    candidate: Floats,
    champion: Floats | None,
    *,
    calibration_error: float,
    slopes: tuple[float, ...],
    seed: int,
) -> tuple[GateResult, ...]:
    """Return each declared gate's result, and that of the calibration slope.

    Parameters
    ----------
    candidate, champion
        Labelled margins of both on the same rows, shape (n,); champion is None at the bootstrap.
    calibration_error, slopes
        Of the candidate's probabilities on those rows, and of its sigmoids.
    """
    results = []
    for name, gate in gates.declared():
        if name == "calibration_error":
            results.append(_bounded(name, calibration_error, None, gate))
        else:
            ours = _LOSSES[name](candidate).astype(np.float64)
            theirs = None if champion is None else _LOSSES[name](champion).astype(np.float64)
            results.append(_on_losses(name, gate, ours, theirs, seed))
    return (*results, _slope(slopes))


def passed(results: tuple[GateResult, ...]) -> bool:
    """Return whether every gate passed; without any gate nothing passes."""
    return bool(results) and all(r.passed for r in results)


def rates(margins: Floats) -> Mapping[str, float]:
    """Return the mean of each loss, and the accuracy, of labelled margins."""
    means = {name: float(loss(margins).mean()) for name, loss in _LOSSES.items()}
    return {"accuracy": 1 - means["error_rate"], **means}


def _on_losses(name: str, gate: Gate, ours: Floats, theirs: Floats | None, seed: int) -> GateResult:
    candidate = float(ours.mean())
    if theirs is None:
        if gate.at_most is not None:
            return _bounded(name, candidate, None, gate)
        reason = "no champion yet to compare with"
        return GateResult(name, True, candidate, None, None, None, reason)
    champion = float(theirs.mean())
    if gate.at_most is not None:
        return _bounded(name, candidate, champion, gate)
    low, high = paired_interval(ours - theirs, gate.confidence, seed)
    bound = gate.by or 0.0
    ok = high < bound if gate.better_than else high <= bound
    wish = "better than the champion" if gate.better_than else f"not worse by {bound:g}"
    reason = f"{wish}: interval {low:+.3f} … {high:+.3f} at {gate.confidence:.0%}"
    return GateResult(name, ok, candidate, champion, low, high, reason)


def _bounded(name: str, value: float, champion: float | None, gate: Gate) -> GateResult:
    assert gate.at_most is not None
    reason = f"at most {gate.at_most:g}"
    return GateResult(name, value <= gate.at_most, value, champion, None, None, reason)


def _slope(slopes: tuple[float, ...]) -> GateResult:
    least = min(slopes)
    reason = "a larger margin means a larger probability"
    return GateResult("calibration_slope", least > 0, least, None, None, None, reason)


def paired_interval(difference: Floats, confidence: float, seed: int) -> tuple[float, float]:
    """Return the bootstrap interval of the mean of paired differences (Efron, 1979; percentile).

    Parameters
    ----------
    difference
        Candidate's loss minus champion's, row by row, shape (n,).
    """
    rng = np.random.default_rng(seed)
    n = len(difference)
    means = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        means[i] = difference[rng.integers(0, n, n)].mean()
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)

"""What a calibration learnt, and how sure that is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.arrays import Floats
from tasks.classifier.calibration import possible, probabilities


def parameters(calibrated: Any, decision: Floats, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return JSON-ready parameters of each calibrator, with standard errors.

    The errors are those of maximum likelihood: the root of the diagonal of the inverse Hessian of
    the negative log-likelihood, at the fit. Rows count as independent; where neighbours in time
    resemble each other, the errors are larger.

    `sigmoid`: `a` and `b` with `a_error` and `b_error`. `temperature`: `beta`, `beta_error`.
    `isotonic`, which has no parameters: the number of its levels (`knots`), and the least and the
    median number of rows that one of them rests on.

    Parameters
    ----------
    decision
        Decision values of the rows that the calibration was learnt on, shape (n,) or (n, k).
    classes
        Names of the classes; one for each calibrator is kept, of two classes the second. A class
        that the model was not fit on has no parameters.
    """
    inner = calibrated.calibrated_classifiers_[0]
    told = {"method": inner.method, "rows": len(decision)}
    if inner.method == "temperature":
        return {**told, **_temperature(calibrated, decision)}
    columns = [decision] if decision.ndim == 1 else list(decision.T)
    names = classes[-len(columns) :]
    one = _sigmoid if inner.method == "sigmoid" else _isotonic
    triples = zip(names, inner.calibrators, columns, strict=True)
    each = {name: one(c, f) if possible(c) else {} for name, c, f in triples}
    return {**told, "classes": each}


def flat_parameters(parameters: Mapping[str, Any]) -> dict[str, float]:
    """Return the parameters under flat names, such as `calibration_a`, or `calibration_0_a`."""
    found = {k: v for k, v in parameters.items() if k not in ("method", "rows", "classes")}
    each = list(parameters.get("classes", {}).values())
    for number, one in enumerate(each):
        prefix = f"{number}_" if len(each) > 1 else ""
        found |= {f"{prefix}{name}": value for name, value in one.items()}
    return {f"calibration_{name}": float(value) for name, value in found.items()}


def _sigmoid(calibrator: Any, decision: Floats) -> dict[str, float]:
    p = calibrator.predict(decision)
    inputs = np.column_stack([decision, np.ones_like(decision)])
    hessian = inputs.T @ (inputs * (p * (1 - p))[:, None])
    # A slice that the sigmoid separates without a doubt leaves nothing to invert.
    a_error, b_error = np.sqrt(np.diag(np.linalg.pinv(hessian)))
    return {
        "a": float(calibrator.a_),
        "a_error": float(a_error),
        "b": float(calibrator.b_),
        "b_error": float(b_error),
    }


def _temperature(calibrated: Any, decision: Floats) -> dict[str, float]:
    beta = float(calibrated.calibrated_classifiers_[0].calibrators[0].beta_)
    logits = np.column_stack([-decision, decision]) if decision.ndim == 1 else decision
    p = probabilities(calibrated, decision)
    variance = (p * logits**2).sum(axis=1) - (p * logits).sum(axis=1) ** 2
    return {"beta": beta, "beta_error": float(1 / np.sqrt(max(variance.sum(), 1e-300)))}


def _isotonic(calibrator: Any, decision: Floats) -> dict[str, float]:
    _, rows = np.unique(calibrator.predict(decision).round(12), return_counts=True)
    return {
        "knots": len(rows),
        "least_rows": int(rows.min()),
        "median_rows": float(np.median(rows)),
    }

"""What a calibration learnt, and how sure that is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.arrays import Floats
from tasks.classifier.calibrators import CALIBRATORS, calibrator_of


def calibration_parameters(
    calibrated: Any, decision: Floats, classes: tuple[str, ...]
) -> dict[str, Any]:
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
    calibrators = calibrated.calibrated_classifiers_[0].calibrators
    told = {"method": calibrated.method, "rows": len(decision)}
    return told | calibrator_of(calibrated).parameters(calibrators, decision, classes)


def calibration_sentence(parameters: Mapping[str, Any]) -> str:
    """Return how probabilities were learnt, and how sure the parameters are."""
    return CALIBRATORS[parameters["method"]].sentence(parameters)


def flat_parameters(parameters: Mapping[str, Any]) -> dict[str, float]:
    """Return the parameters under flat names, such as `calibration_a`, or `calibration_0_a`."""
    found = {k: v for k, v in parameters.items() if k not in ("method", "rows", "classes")}
    each = list(parameters.get("classes", {}).values())
    for number, one in enumerate(each):
        prefix = f"{number}_" if len(each) > 1 else ""
        found |= {f"{prefix}{name}": value for name, value in one.items()}
    return {f"calibration_{name}": float(value) for name, value in found.items()}

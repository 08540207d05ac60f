"""What learns probabilities: the one list of calibrators, by `calibration.method` of the spec.

A calibrator is added by a module with its calibration map, a line here, and its name in
`spec.model.CalibrationMethod`. One that is no map of each class is an object of its own, as
`Temperature` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.classifier import beta, isotonic, platt
from tasks.classifier.calibrator import Calibrator
from tasks.classifier.isotonic import ISOTONIC_ROWS
from tasks.classifier.one_against_rest import OneAgainstRest
from tasks.classifier.temperature import Temperature
from tasks.spec.training_options import CalibrationMethod

CALIBRATORS: Mapping[CalibrationMethod, Calibrator] = {
    "sigmoid": OneAgainstRest(platt, "sigmoid"),
    "temperature": Temperature(),
    "isotonic": OneAgainstRest(isotonic, "isotonic", rows_needed=ISOTONIC_ROWS),
    "beta": OneAgainstRest(beta),
}


def calibrator_of(calibrated: Any) -> Calibrator:
    """Return what learnt the probabilities of a calibrated model."""
    return CALIBRATORS[calibrated.method]


def without_floor() -> list[str]:
    """Return the methods that need no number of rows."""
    return [name for name, calibrator in CALIBRATORS.items() if not calibrator.rows_needed]

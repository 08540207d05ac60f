"""The uncertainty of a calibration's parameters, against a bootstrap of its rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import _fit_calibrator

from tasks.classifier import calibration_fit
from tasks.classifier.calibration_fit import calibration_parameters

NAMES = ("low", "middle", "high")


def calibrated(decision: Any, label: Any, method: str) -> Any:
    """Return a calibration of bare decision values, as scikit-learn fits it."""
    classes = np.unique(label)
    column = decision[:, None] if decision.ndim == 1 else decision
    model = SimpleNamespace(classes_=classes, decision_function=len)
    inner = _fit_calibrator(model, column, label, classes, method, np)
    return SimpleNamespace(calibrated_classifiers_=[inner], method=method)


def sample(classes: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    if classes == 2:
        decision = rng.normal(size=1500)
        return decision, (rng.random(1500) < expit(1.3 * decision - 0.4)).astype(int)
    decision = rng.normal(size=(1500, 3))
    return decision, (1.2 * decision + rng.gumbel(size=(1500, 3))).argmax(axis=1)


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
@pytest.mark.parametrize("classes", [2, 3])
def test_standard_errors_are_what_a_bootstrap_of_the_rows_shows(method: str, classes: int) -> None:
    decision, label = sample(classes)
    names = NAMES[:classes]
    found = calibration_fit.flat_parameters(
        calibration_parameters(calibrated(decision, label, method), decision, names)
    )
    rng = np.random.default_rng(4)
    drawn = []
    for _ in range(200):
        rows = rng.integers(0, len(label), len(label))
        again = calibration_parameters(
            calibrated(decision[rows], label[rows], method), decision[rows], names
        )
        drawn.append(calibration_fit.flat_parameters(again))
    values = [name for name in found if not name.endswith("_error")]
    assert len(values) == {"sigmoid": 2 if classes == 2 else 6, "temperature": 1}[method]
    for name in values:
        spread = float(np.std([one[name] for one in drawn]))
        # 200 draws know a standard deviation to 5 %; Platt's own model is a little off for three.
        assert found[f"{name}_error"] == pytest.approx(spread, rel=0.25), name


def test_the_levels_of_an_isotonic_function_are_counted_with_their_rows() -> None:
    decision = np.arange(8.0)
    label = np.array([0, 0, 1, 0, 1, 1, 0, 1])
    found = calibration_parameters(calibrated(decision, label, "isotonic"), decision, ("no", "yes"))
    # 0 0 | 1 0 | 1 1 0 | 1, pooled where the order is wrong.
    assert found == {
        "method": "isotonic",
        "rows": 8,
        "classes": {"yes": {"knots": 4, "least_rows": 1, "median_rows": 2.0}},
    }


def test_parameters_have_flat_names_for_mlflow_whatever_the_classes_are_called() -> None:
    decision, label = sample(3)
    found = calibration_parameters(
        calibrated(decision, label, "sigmoid"), decision, ("a b", "ü/", "$")
    )
    names = list(calibration_fit.flat_parameters(found))
    assert names[:2] == ["calibration_0_a", "calibration_0_a_error"]
    assert len(names) == 12

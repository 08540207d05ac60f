"""Scores → probabilities, learnt on a slice of their own; how is up to one of `calibrators`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import absent
from tasks.classifier.calibrators import CALIBRATORS, calibrator_of
from tasks.spec.training_options import CalibrationMethod


def learn_probabilities(
    fitted: Any, frame: Any, label: Ints, method: CalibrationMethod, onto: Any = None
) -> Any:
    """Return the fitted model with probabilities learnt on other rows; it is not changed itself.

    A method that learns each class against the rest needs rows of both; see `OneAgainstRest`.

    Parameters
    ----------
    label
        Index of the true class, shape (n,); of two classes both must be there.
    onto
        A later fit that takes what is learnt of `fitted`, and is returned in its place. A class
        that only it was fit on counts as one with few rows.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    # scikit-learn wants rows of every class in its one fold, and that is all it takes from these.
    target = fitted if onto is None else onto
    calibrator = CALIBRATORS[method]
    classes = np.repeat(target.classes_, 3)
    whole = [(np.arange(len(classes)),) * 2]
    model = CalibratedClassifierCV(FrozenEstimator(target), method=calibrator.scheme, cv=whole)
    model.fit(frame.iloc[np.zeros(len(classes), np.int64)], classes)
    model.method = method  # who learnt; that of the inner model says how it is applied
    decision = fitted.decision_function(frame)
    known = absent.learnt_classes(fitted), absent.learnt_classes(target)
    model.calibrated_classifiers_[0].calibrators = calibrator.learn(decision, label, *known)
    return model


def probabilities(calibrated: Any, decision: Floats) -> Floats:
    """Return the class probabilities of decision values, shape (n, k).

    What `predict_proba` says of the rows with these values, without scoring them again.

    Parameters
    ----------
    decision
        Decision values, shape (n,) for two classes or (n, k) for k > 2.
    """
    inner = calibrated.calibrated_classifiers_[0]
    if not len(decision):
        return np.empty((0, len(inner.classes)))
    return calibrator_of(calibrated).probabilities(inner.calibrators, decision)


def slopes(calibrated: Any) -> tuple[float, ...]:
    """Return for each calibrator a number that is positive where larger scores are more probable.

    Classes that the model was not fit on have none.
    """
    inner = calibrated.calibrated_classifiers_[0]
    return calibrator_of(calibrated).slopes(inner.calibrators)


def sigmoid_of(calibrated: Any) -> tuple[float, float] | None:
    """Return (a, b) of p = 1 / (1 + exp(a·f + b)) of two classes.

    None where there is no such pair: for more classes, and where the method is no sigmoid.
    """
    inner = calibrated.calibrated_classifiers_[0]
    if len(inner.classes) > 2:
        return None
    return calibrator_of(calibrated).sigmoid(inner.calibrators)

"""Scores → probabilities, learnt on a slice of their own."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, Literal

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import absent

Method = Literal["sigmoid", "temperature", "isotonic"]
_FLAT = 1e-4  # β is searched from exp(-10) on
_IMPOSSIBLE = 1e3  # 1 / (1 + exp(b)) is exactly 0 beyond b = 745


def learn(fitted: Any, frame: Any, label: Ints, method: Method, onto: Any = None) -> Any:
    """Return the fitted model with probabilities learnt on other rows; it is not changed itself.

    `sigmoid`: p = 1 / (1 + exp(a·f + b)), one against the rest for more than two classes (Platt,
    1999). `temperature`: softmax(β·f), of two classes 1 / (1 + exp(-2β·f)) (Guo et al., 2017).
    `isotonic`: the best non-decreasing step function, one against the rest for more than two
    classes (Zadrozny & Elkan, 2002).

    One against the rest needs rows of both: a class with fewer than `absent.FEWEST` takes what is
    learnt of the scores of all classes together, its odds brought to how often the class came;
    one that the model was not fit on is never probable. Softmax needs neither.

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
    classes = np.repeat(target.classes_, 3)
    whole = [(np.arange(len(classes)),) * 2]
    model = CalibratedClassifierCV(FrozenEstimator(target), method=method, cv=whole)
    model.fit(frame.iloc[np.zeros(len(classes), np.int64)], classes)
    inner = model.calibrated_classifiers_[0]
    decision = fitted.decision_function(frame)
    known = absent.learnt_classes(fitted), absent.learnt_classes(target)
    inner.calibrators = _calibrators(inner.calibrators[0], decision, label, *known)
    return model


def _calibrators(
    blank: Any, decision: Floats, label: Ints, learnt: Ints, answered: Ints
) -> list[Any]:
    """Return calibrators like `blank`: one, or for each column of decision values one.

    `learnt` are the classes that the values know, `answered` those that get a probability.
    """
    from sklearn.base import clone

    if decision.ndim == 1 or hasattr(blank, "beta_"):
        return [clone(blank).fit(decision, label)]
    hits = (label[:, np.newaxis] == np.arange(decision.shape[1])).astype(np.int64)
    rows = hits.sum(axis=0)
    few = np.minimum(rows, len(label) - rows) < absent.FEWEST_ROWS

    @cache
    def together() -> Any:
        return clone(blank).fit(decision[:, learnt].ravel(), hits[:, learnt].ravel())

    def odds(hit: Ints) -> float:
        """Return how often against how often not; one of either is added, as Platt does."""
        return float((hit.sum() + 1) / (hit.size - hit.sum() + 1))

    def of(i: int) -> Any:
        if i not in answered:
            return never(blank)
        if few[i] or i not in learnt:
            return _as_often(together(), odds(hits[:, learnt]), odds(hits[:, i]))
        return clone(blank).fit(decision[:, i], hits[:, i])

    return [of(i) for i in range(len(rows))]


def _as_often(calibrator: Any, odds: float, wanted: float) -> Any:
    """Return a calibrator of rows with these odds for rows with others (Saerens et al., 2002)."""
    found, factor = deepcopy(calibrator), wanted / odds
    if hasattr(found, "b_"):
        found.b_ -= float(np.log(factor))
        return found
    p = found.y_thresholds_
    return found.fit(found.X_thresholds_, factor * p / (1 - p + factor * p))


def never(like: Any) -> Any:
    """Return a calibrator of the same kind that says 0 whatever the score."""
    from sklearn.base import clone

    found = clone(like)
    if hasattr(found, "out_of_bounds"):
        return found.fit([0.0, 1.0], [0.0, 0.0])
    found.a_, found.b_ = 0.0, _IMPOSSIBLE
    return found


def one_each(calibrators: list[Any]) -> list[Any]:
    """Return a calibrator of every class; of two classes that of -f beside that of f."""
    if len(calibrators) > 1:
        return calibrators
    mirrored = deepcopy(calibrators[0])
    if hasattr(mirrored, "b_"):
        mirrored.b_ = -mirrored.b_
    else:
        mirrored.fit(-mirrored.X_thresholds_, 1 - mirrored.y_thresholds_)
    return [mirrored, *calibrators]


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
    if inner.method == "temperature":
        return np.asarray(inner.calibrators[0].predict(decision))
    if decision.ndim == 1:
        positive = np.asarray(inner.calibrators[0].predict(decision))
        return np.stack([1 - positive, positive]).T  # each column in one piece
    pairs = zip(inner.calibrators, decision.T, strict=True)
    each: Floats = np.column_stack([calibrator.predict(scores) for calibrator, scores in pairs])
    total = each.sum(axis=1, keepdims=True)
    even: Floats = np.full_like(each, 1 / each.shape[1])
    return np.asarray(np.divide(each, total, out=even, where=total != 0))


def slopes(calibrated: Any) -> tuple[float, ...]:
    """Return for each calibrator a number that is positive where larger scores are more probable.

    Of a sigmoid -a; of a temperature β, 0 where the fit ran into the end of its search, because
    the scores say nothing; of an isotonic function its rise, 0 where it is flat. Classes that the
    model was not fit on have none.
    """
    calibrators = calibrated.calibrated_classifiers_[0].calibrators
    return tuple(_slope(c) for c in calibrators if possible(c))


def possible(calibrator: Any) -> bool:
    """Return whether any score is probable: not where the model was not fit on the class."""
    if hasattr(calibrator, "b_"):
        return bool(calibrator.b_ != _IMPOSSIBLE)
    return hasattr(calibrator, "beta_") or bool(calibrator.y_thresholds_.any())


def _slope(calibrator: Any) -> float:
    if hasattr(calibrator, "a_"):
        return -float(calibrator.a_)
    if hasattr(calibrator, "beta_"):
        beta = float(calibrator.beta_)
        return beta if beta > _FLAT else 0.0
    return float(calibrator.y_thresholds_[-1] - calibrator.y_thresholds_[0])


def sigmoid(calibrated: Any) -> tuple[float, float] | None:
    """Return (a, b) of p = 1 / (1 + exp(a·f + b)) of two classes.

    None where there is no such pair: for more classes, and for an isotonic function.
    """
    inner = calibrated.calibrated_classifiers_[0]
    if len(inner.classes) > 2 or inner.method == "isotonic":
        return None
    (calibrator,) = inner.calibrators
    if inner.method == "temperature":
        return -2 * float(calibrator.beta_), 0.0
    return float(calibrator.a_), float(calibrator.b_)

"""Classes with few rows or none in a retrain: what the model answers, and what people are told.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.calibrators import CALIBRATORS
from tasks.classifier.one_against_rest import FEWEST_ROWS

if TYPE_CHECKING:
    from tasks.classifier.cut import Cut
    from tasks.spec.model import ModelSpec

_SHOWN = 6  # classes in a sentence


def widen(fitted: Any, classes: int) -> Any:
    """Give a fitted pipeline a decision value for each class, even if it was fit on fewer.

    The model never decides for a class without rows: its value is the mean of the others' minus 1,
    which is at least 1 below the best of them on every row. So no decision changes, nor the loss of
    any row of the other classes. A row of the class itself counts as wrong by about as much as
    other mistakes do. If two of more classes were fit, their values are -f and f, as one against
    the rest would make them.

    Parameters
    ----------
    classes
        How many the spec has, k. Decision values then have the shape (n, k), of two classes (n,).
    """
    model = fitted[-1]
    if len(model.classes_) < classes:
        place(model, *every_class(model.coef_, model.intercept_), model.classes_, classes)
    return fitted


def every_class(weights: Floats, intercepts: Floats) -> tuple[Floats, Floats]:
    """Return weights, shape (k, d), and intercepts, (k,), of every class, also where k is 2."""
    if len(weights) > 1:
        return weights, intercepts
    return np.vstack([-weights, weights]), np.r_[-intercepts, intercepts]


def place(model: Any, weights: Floats, intercepts: Floats, there: Ints, classes: int) -> None:
    """Extend a linear model to this number of classes; it learnt those at the places `there`."""
    model.coef_ = np.tile(weights.mean(axis=0), (classes, 1))
    model.intercept_ = np.full(classes, intercepts.mean() - 1)
    model.coef_[there], model.intercept_[there] = weights, intercepts
    model.learnt_ = there
    model.classes_ = np.arange(classes)


def learnt_classes(model: Any) -> Ints:
    """Return the indices of the classes that a fitted or calibrated model had rows of."""
    last = getattr(model, "estimator", model)[-1]
    return np.asarray(getattr(last, "learnt_", last.classes_))


def warnings(spec: ModelSpec, label: Ints, cut: Cut, known: Ints | None = None) -> list[str]:
    """Return what a candidate of these rows cannot promise, with one sentence for each class.

    Parameters
    ----------
    label
        Index of each row's class, shape (n,), oldest first.
    cut
        Which of the rows fit, calibrate and judge.
    known
        Classes that the champion was fit on, where it is recalibrated and nothing is fit; all if
        that is not known.
    """
    fit, calibrate, judge = (
        np.bincount(label[rows], minlength=len(spec.label.classes))
        for rows in (cut.fit, cut.calibrate, cut.judge)
    )
    told, learnable = [], fit > 0
    by_class = CALIBRATORS[spec.calibration.method].by_class
    learns = fit + calibrate + judge if spec.training.refit == "accepted" else fit
    if not fit.any():
        learnable = np.isin(np.arange(len(fit)), np.arange(len(fit)) if known is None else known)
        told += _of(spec, ~learnable, "not learnt by the champion, and not by recalibrating it")
    else:
        small = "0" if by_class else "little more than 0"
        rows = f"among the {learns.sum():,} rows that fit"
        never = f"none {rows}; the candidate never decides so, with probability {small}"
        told += _of(spec, learns == 0, never)
        few = (learns > 0) & (learns < FEWEST_ROWS)
        told += _of(
            spec, few, f"fewer than {FEWEST_ROWS} {rows}, on which its decision rests", learns
        )
        late = (
            f"none among the {fit.sum():,} rows of the fit that is judged; learnt when that is "
            "refit, so how well it is answered, and its probabilities, are not known"
        )
        told += _of(spec, (fit == 0) & (learns > 0), late)
    if len(fit) > 2 and by_class:
        few = np.minimum(calibrate, calibrate.sum() - calibrate) < FEWEST_ROWS
        few &= learnable
        what = (
            f"fewer than {FEWEST_ROWS} with or without it among the {calibrate.sum():,} rows that "
            "calibrate; its probabilities rise as those of all classes, at its own frequency"
        )
        told += _of(spec, few, what, calibrate)
    none = f"none among the {judge.sum():,} rows that judge; how well it is answered is not known"
    return told + _of(spec, judge == 0, none)


def _of(spec: ModelSpec, which: Any, what: str, counts: Ints | None = None) -> list[str]:
    """Return a sentence on some of the classes, with how many rows each has."""
    places = np.flatnonzero(which).tolist()
    names = [
        str(spec.label.classes[i]) + ("" if counts is None else f" ({counts[i]:,})")
        for i in places[:_SHOWN]
    ]
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return [f"class {', '.join(names)}{more}: {what}"] if names else []

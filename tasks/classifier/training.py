"""The pipeline that a spec describes: what its rows must have, and the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Ints
from tasks.classifier import absent
from tasks.classifier.calibrators import CALIBRATORS, without_floor
from tasks.classifier.encoding import encoder, mute
from tasks.classifier.finite import LARGEST
from tasks.data.frame import numeric_columns
from tasks.errors import Final
from tasks.spec.model import ModelSpec
from tasks.spec.training_options import ELSEWHERE

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


class TrainingError(Final):
    """Rows a model cannot be trained on: says why, and the way out."""


def fit(spec: ModelSpec, frame: pd.DataFrame, label: Ints) -> Pipeline:
    """Return the fitted pipeline of transformations and linear model.

    It answers with each class of the spec, in index order; see `absent.widen` for those without a
    row.

    Raises
    ------
    TrainingError
        If the owner trains elsewhere, the rows are of one class only, a feature's squares are no
        finite numbers, or a text or category has nothing to learn from.
    """
    need_estimator(spec)
    need_two_classes(spec, label, "fitting")
    need_squares(spec, frame)
    try:
        fitted = pipeline(spec, rows=len(frame)).fit(frame, label)
    except (ValueError, AttributeError):  # a missing text has no letters to make small
        if problem := mute(spec, frame):
            raise TrainingError(problem) from None
        raise
    return absent.widen(fitted, len(spec.label.classes))


def need_estimator(spec: ModelSpec) -> None:
    """Raise TrainingError if nothing can be fit here, since the owner trains elsewhere."""
    if spec.training.estimator in ELSEWHERE:
        raise TrainingError(
            f"{spec.model} is trained elsewhere (training.estimator: {spec.training.estimator}), "
            "so nothing can be fit here; name linear_svc or sgd_hinge to try what they would do"
        )


def need_squares(spec: ModelSpec, frame: pd.DataFrame) -> None:
    """Raise TrainingError if a numeric feature cannot be scaled by its standard deviation."""
    for name, values in numeric_columns(spec, frame).items():
        wrong = int(np.count_nonzero(~(np.abs(values) <= LARGEST)))
        if wrong:
            raise TrainingError(
                f"{name} is not finite, or beyond {LARGEST:g}, in {wrong:,} of the {len(values):,} "
                "rows of the fitting slice; repair them, or bound it with an expectation"
            )


def need_two_classes(spec: ModelSpec, label: Ints, purpose: str) -> None:
    """Raise TrainingError if the labels are of fewer than two classes."""
    there = [i for i in range(len(spec.label.classes)) if (label == i).any()]
    if len(there) < 2:
        missing = [name for i, name in enumerate(spec.label.names) if i not in there]
        held = f"no row of class {missing[0]}"
        if len(missing) > 1:
            held = f"rows of class {spec.label.names[there[0]]} alone" if there else "no row"
        raise TrainingError(
            f"the {purpose} slice of {len(label)} rows has {held}, and two classes are needed; "
            "widen training.window"
        )


def need_enough_to_calibrate(spec: ModelSpec, label: Ints) -> None:
    """Raise TrainingError if the calibration slice is too small for the method.

    Of two classes it must have both; of more, see `calibration.learn_probabilities` for one that
    has no rows.
    """
    if len(spec.label.classes) == 2:
        need_two_classes(spec, label, "calibration")
    method = spec.calibration.method
    needed = CALIBRATORS[method].rows_needed
    if len(label) < needed:
        raise TrainingError(
            f"the calibration slice of {len(label)} rows is too small for calibration.method "
            f"{method}, which needs {needed}; widen training.window, raise "
            f"calibration.share, or use {' or '.join(without_floor())}"
        )


def pipeline(spec: ModelSpec, rows: int) -> Pipeline:
    """Return the unfitted pipeline that the spec describes, for this number of rows."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.svm import LinearSVC

    training = spec.training
    weight = "balanced" if training.weighting == "balanced" else None
    if training.estimator == "linear_svc":
        estimator: Any = LinearSVC(
            C=training.regularisation,
            loss="hinge",
            dual=True,
            class_weight=weight,
            random_state=training.seed,
            max_iter=20_000,
        )
    else:
        estimator = SGDClassifier(
            loss="hinge",
            alpha=1 / (training.regularisation * rows),
            class_weight=weight,
            random_state=training.seed,
            # Steps that shrink where the loss stands still end at LinearSVC's objective to 0.1 %,
            # where averaged ones stopped 2 to 30 % above it. Few rows make few steps an epoch.
            learning_rate="adaptive",
            eta0=1.0,
            tol=1e-6,
            n_iter_no_change=30 if rows < 50_000 else 5,
            max_iter=10_000,
        )
    return Pipeline([("features", encoder(spec)), ("model", estimator)])

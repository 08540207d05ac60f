"""Estimators, time-ordered slices, and the features and labels that train and score share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Floats, Ints
from tasks.classifier import absent
from tasks.classifier.calibrators import CALIBRATORS, without_floor
from tasks.classifier.encoding import encoder, mute
from tasks.classifier.finite import LARGEST
from tasks.classifier.linear import Rows
from tasks.errors import Final
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from sklearn.pipeline import Pipeline


class TrainingError(Final):
    """Rows a model cannot be trained on: says why, and the way out."""


@dataclass(frozen=True)
class Slices:
    """Three disjoint slices of time-ordered rows: the oldest fit, the newest judge.

    `since` is the first row after what made the retrain necessary began, 0 if all rows are.
    """

    fit: slice
    calibrate: slice
    judge: slice
    since: int = 0


def slices(rows: int, *, calibrate: float, judge: float, since: int = 0) -> Slices:
    """Return the slices of `rows` time-ordered rows.

    `calibrate` and `judge` are shares of the rows from `since` on: what calibrates and judges is
    from after the change for which the model is retrained. Where these are too few for a row in
    each, they are shares of all rows.

    Raises
    ------
    TrainingError
        If a slice would be empty.
    """
    fresh = rows - since
    if not (round(fresh * judge) and round(fresh * calibrate)):
        since, fresh = 0, rows
    last = rows - round(fresh * judge)
    middle = last - round(fresh * calibrate)
    if not 0 < middle < last < rows:
        raise TrainingError(
            f"{rows} labelled rows cannot be cut into fit, calibrate ({calibrate:.0%}) and judge "
            f"({judge:.0%}); widen training.window, wait for more labels, or change the shares"
        )
    return Slices(slice(0, middle), slice(middle, last), slice(last, rows), since)


def unfitted_slices(rows: int, *, calibrate: float, judge: float) -> Slices:
    """Return the slices where nothing is fit: the same shares, of each other.

    Raises
    ------
    TrainingError
        If a slice would be empty.
    """
    last = rows - round(rows * judge / (calibrate + judge))
    if not 0 < last < rows:
        raise TrainingError(
            f"{rows} labelled rows cannot be cut into calibrate and judge; wait for more labels"
        )
    return Slices(slice(0, 0), slice(0, last), slice(last, rows))


def columns(spec: ModelSpec, batch: pa.RecordBatch) -> dict[str, NDArray[Any]]:
    """Return the feature columns of a batch, in the spec's order, in the types of training.

    What is there in that type is not copied.
    """
    import pyarrow as pa

    # A category is its text, so that 7 and "7" from two stores are one.
    kinds = dict.fromkeys(spec.features.numeric, pa.float64())
    kinds |= dict.fromkeys((*spec.features.categorical, *spec.features.text), pa.string())
    found = {}
    for name, kind in kinds.items():
        column = batch.column(name)
        column = column if column.type == kind else column.cast(kind, safe=False)
        found[name] = column.to_numpy(zero_copy_only=False)
    return found


def features(spec: ModelSpec, batch: pa.RecordBatch) -> pd.DataFrame:
    """Return the feature columns of a batch as a frame."""
    import pandas as pd

    return pd.DataFrame(columns(spec, batch))


def labels(spec: ModelSpec, batch: pa.RecordBatch) -> Ints:
    """Return the index of each row's class, -1 where it is not known; shape (n,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = spec.label.column
    index = np.full(batch.num_rows, -1, dtype=np.int64)
    if column in batch.schema.names:
        values = batch.column(column)
        if pa.types.is_string(values.type):  # names of classes, or what stands there instead
            names = pa.array(class_names(spec))
            return np.asarray(pc.index_in(values, value_set=names).fill_null(-1), dtype=np.int64)
        # pandas knows a missing value of any type to be equal to no class; NumPy is faster.
        plain = pa.types.is_integer(values.type) and not values.null_count
        values = values.to_numpy() if plain else values.to_pandas()
        for position, name in enumerate(spec.label.classes):
            same = values == name
            same = same if plain else same.to_numpy(dtype=bool, na_value=False)
            index += same * (position + 1)  # a sum is faster than picking rows
    return index


def weights(spec: ModelSpec, batch: pa.RecordBatch) -> Floats | None:
    """Return the rows' sample weights, shape (n,); None if the spec names no column of them."""
    if spec.source.weight is None:
        return None
    column = batch.column(spec.source.weight)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def fit(spec: ModelSpec, frame: pd.DataFrame, label: Ints) -> Pipeline:
    """Return the fitted pipeline of transformations and linear model.

    It answers with each class of the spec, in index order; see `absent.widen` for those without a
    row.

    Raises
    ------
    TrainingError
        If the rows are of one class only, a feature's squares are no finite numbers, or a text or
        category has nothing to learn from.
    """
    need_two_classes(spec, label, "fitting")
    need_squares(spec, frame)
    try:
        fitted = pipeline(spec, rows=len(frame)).fit(frame, label)
    except (ValueError, AttributeError):  # a missing text has no letters to make small
        if problem := mute(spec, frame):
            raise TrainingError(problem) from None
        raise
    return absent.widen(fitted, len(spec.label.classes))


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
        missing = [name for i, name in enumerate(class_names(spec)) if i not in there]
        held = f"no row of class {missing[0]}"
        if len(missing) > 1:
            held = f"rows of class {class_names(spec)[there[0]]} alone" if there else "no row"
        raise TrainingError(
            f"the {purpose} slice of {len(label)} rows has {held}, and two classes are needed; "
            "widen training.window"
        )


def need_enough_to_calibrate(spec: ModelSpec, label: Ints) -> None:
    """Raise TrainingError if the calibration slice is too small for the method.

    Of two classes it must have both; of more, see `calibration.learn` for one without rows.
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
    """Return the unfitted pipeline that the spec describes, for so many rows."""
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


def class_names(spec: ModelSpec) -> tuple[str, ...]:
    """Return the classes' names in index order."""
    return tuple(str(c) for c in spec.label.classes)


def numeric_columns(spec: ModelSpec, rows: Rows) -> dict[str, Floats]:
    """Return the numeric feature columns of rows as arrays."""
    return {name: np.asarray(rows[name], dtype=np.float64) for name in spec.features.numeric}

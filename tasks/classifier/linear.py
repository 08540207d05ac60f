"""A fitted pipeline as the linear function that it is, and the inputs that it weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Floats
from tasks.classifier import adopted
from tasks.classifier.encoding import encode, scaler_of
from tasks.data.frame import Rows

if TYPE_CHECKING:
    pass


_FAR = 1e3  # standard deviations: three of sixteen digits


@dataclass(frozen=True)
class Linear:
    """f(x) = weights·(x - centre) + intercepts, of a pipeline of features and linear model.

    `weights` have the shape (k, d), of two classes (1, d); `intercepts` (k,) or (1,); `names` are
    the features, and `first` is where the inputs of each begin.
    """

    weights: Floats
    intercepts: Floats
    centre: Any
    names: list[str]
    first: list[int]

    def decide(self, inputs: Any) -> Floats:
        """Return the decision values of inputs, shape (n,) of two classes, else (n, k)."""
        decision = np.asarray(inputs @ self.weights.T, dtype=np.float64)
        # Centred here, once for each class, and not in each input.
        decision += self.intercepts - (self.weights * self.centre).sum(axis=1)
        return decision.ravel() if len(self.weights) == 1 else decision


class InputColumns:
    """Numbers in columns, each where it was read: multiplied like the matrix that they are."""

    __array_ufunc__ = None  # rows @ columns is for us to answer, not for NumPy

    def __init__(self, columns: Sequence[Floats]) -> None:
        self._columns = columns

    def __getitem__(self, rows: Any) -> InputColumns:
        return InputColumns([column[rows] for column in self._columns])

    def __matmul__(self, weights: Floats) -> Floats:
        if weights.shape[1] > 1:
            return np.asarray(np.stack(self._columns).T @ weights)
        total = np.zeros(len(self._columns[0]))
        for column, weight in zip(self._columns, weights[:, 0], strict=True):
            total += weight * column
        return total[:, np.newaxis]

    def __rmatmul__(self, rows: Floats) -> Floats:
        return np.array([rows @ column for column in self._columns])


def linear(pipeline: Any) -> Linear:
    """Return a fitted pipeline as a function of `inputs`, if it is `explained`."""
    if (foreign := adopted.adopted_pipeline(pipeline)) is not None:
        return _adopted(foreign)
    model, intercepts = pipeline[-1], np.atleast_1d(pipeline[-1].intercept_)
    if not _numbers_alone(pipeline):
        return Linear(model.coef_, intercepts, 0.0, *_features_of(pipeline[0]))
    scaler, _ = scaler_of(pipeline[0].transformers_[0][1])
    names = scaler.feature_names_in_.tolist()
    centre = 0.0 if _far_off(scaler) else scaler.mean_
    return Linear(model.coef_ / scaler.scale_, intercepts, centre, names, [*range(len(names))])


def explained(pipeline: Any) -> bool:
    """Return whether each margin is a known sum over the features; of what we fit it always is."""
    foreign = adopted.adopted_pipeline(pipeline)
    return foreign is None or adopted.weighed_features(foreign) is not None


def _adopted(pipeline: Any) -> Linear:
    found = adopted.weighed_features(pipeline)
    assert found is not None, "not explained"
    weights = np.atleast_2d(pipeline[-1].coef_)
    intercepts = np.broadcast_to(pipeline[-1].intercept_, len(weights))
    return Linear(weights, intercepts, 0.0, *found)


def inputs(pipeline: Any, rows: Rows) -> Any:
    """Return what the linear model weighs, shape (n, d): `InputColumns` or a matrix.

    Numbers alone are not scaled, and centred only where they must be: `Linear` does the rest. A
    ColumnTransformer copies them several times over, which took longer than everything else. For
    the same reason only those are copied that have something to cap.
    """
    if not _numbers_alone(pipeline):
        return encode(pipeline[0], rows)
    scaler, cap = scaler_of(pipeline[0].transformers_[0][1])
    columns = [np.asarray(rows[name], np.float64) for name in scaler.feature_names_in_]
    centre = scaler.mean_
    if _far_off(scaler):
        columns = [column - mean for column, mean in zip(columns, scaler.mean_, strict=True)]
        centre = np.zeros(len(columns))
    if cap is not None:
        ends = zip(columns, centre - cap * scaler.scale_, centre + cap * scaler.scale_, strict=True)
        columns = [_capped(column, low, high) for column, low, high in ends]
    return InputColumns(columns)


def _capped(column: Floats, low: float, high: float) -> Floats:
    if not len(column) or (low <= column.min() and column.max() <= high):
        return column
    capped = np.clip(column, low, high)
    if not np.isfinite([column.min(), column.max()]).all():
        # An infinite value is not capped but refused, here and where MLflow serves.
        endless = np.isinf(column)
        capped[endless] = column[endless]
    return capped


def _numbers_alone(pipeline: Any) -> bool:
    """Return whether a model has numeric features only."""
    return [name for name, _, _ in pipeline[0].transformers_] == ["numeric"]


def _far_off(scaler: Any) -> bool:
    """Return whether features lie so far from 0 that sums of them would lose their digits."""
    return bool((np.abs(scaler.mean_) > _FAR * scaler.scale_).any())


def _features_of(transform: Any) -> tuple[list[str], list[int]]:
    """Return the features in the order of the model's inputs, and the first input of each."""
    names: list[str] = []
    sizes: list[int] = []
    for kind, step, columns in transform.transformers_:
        if kind == "remainder":
            continue
        if isinstance(columns, str):  # the one column of a text, or of a category
            place = transform.output_indices_[kind]
            sizes.append(place.stop - place.start)
            names.append(columns)
            continue
        sizes += [1] * len(columns) if kind == "numeric" else [len(c) for c in step.categories_]
        names += columns
    return names, [0, *np.cumsum(sizes[:-1]).tolist()]

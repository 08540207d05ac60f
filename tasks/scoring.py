"""Rows → decision values → their summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import attribution
from tasks.margins import Floats, Ints
from tasks.spec import ModelSpec
from tasks.summary import Grid, Summary, summarise
from tasks.training import class_names, numeric_columns

if TYPE_CHECKING:
    import pandas as pd


def score(model: Any, frame: pd.DataFrame) -> tuple[Floats, Any]:
    """Return decision values, shape (n,) or (n, k), and the model's inputs, shape (n, d).

    `model` is a fitted pipeline, or a calibrated one.
    """
    inner = getattr(model, "estimator", model)
    inputs = _inputs(inner, frame)
    return np.asarray(inner[-1].decision_function(inputs), dtype=np.float64), inputs


def _inputs(pipeline: Any, frame: pd.DataFrame) -> Any:
    """Return what the pipeline makes of the features, shape (n, d).

    Numbers alone are scaled here, as `StandardScaler` does it: a ColumnTransformer copies them
    several times over, which took longer than all of the rest.
    """
    transform = pipeline[0]
    if [name for name, _, _ in transform.transformers_] != ["numeric"]:
        return transform.transform(frame)
    (_, scaler, columns), *_ = transform.transformers_
    inputs = np.subtract(frame[columns].to_numpy(np.float64), scaler.mean_, order="F")
    inputs /= scaler.scale_
    return inputs


def decide(model: Any, frame: pd.DataFrame) -> Floats:
    """Return the decision values of a fitted or calibrated model, shape (n,) or (n, k)."""
    return score(model, frame)[0]


def summarise_rows(
    spec: ModelSpec,
    grid: Grid,
    model: Any,
    frame: pd.DataFrame,
    label: Ints,
    decision: Floats,
    inputs: Any,
    weight: Floats | None = None,
) -> Summary:
    """Return the summary of scored rows, with the contributions of their features."""
    classes = class_names(spec)
    return summarise(
        grid,
        decision,
        label,
        classes,
        numeric_columns(spec, frame),
        weight=weight,
        contributions=attribution.of_scores(model, inputs, decision),
        class_contributions=attribution.of_classes(model, inputs, decision, label, classes),
    )

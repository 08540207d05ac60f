"""Rows → decision values → their summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks import attribution, calibration
from tasks.margins import Floats, Ints
from tasks.reliability_table import ReliabilityTable
from tasks.spec import ModelSpec
from tasks.summary import Grid, Summary, summarise
from tasks.training import class_names, numeric_columns

if TYPE_CHECKING:
    import pandas as pd


def score(model: Any, frame: pd.DataFrame) -> tuple[Floats, Any]:
    """Return decision values, shape (n,) or (n, k), and what the model weighs, shape (n, d).

    `model` is a fitted pipeline, or a calibrated one.
    """
    pipeline = getattr(model, "estimator", model)
    inputs = _inputs(pipeline, frame)
    weights, intercepts = attribution.weights(pipeline)
    decision = np.asarray(inputs @ weights.T, dtype=np.float64)
    decision += intercepts
    return decision.ravel() if len(weights) == 1 else decision, inputs


def _inputs(pipeline: Any, frame: pd.DataFrame) -> Any:
    """Return what the linear model weighs, shape (n, d).

    Numbers alone are centred here; `attribution.weights` holds their scale. A ColumnTransformer
    copies them several times over, which took longer than all of the rest.
    """
    scaler = attribution.scaler_alone(pipeline)
    if scaler is None:
        return pipeline[0].transform(frame)
    names = list(scaler.feature_names_in_)
    # Selecting columns copies them, also if they are all of them.
    columns = frame if list(frame.columns) == names else frame[names]
    return np.subtract(columns.to_numpy(np.float64), scaler.mean_, order="F")


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
    """Return the summary of scored rows, with the contributions of their features.

    The probabilities of a calibrated model are held against the labels that are there.
    """
    classes = class_names(spec)
    known = label >= 0
    table = None
    if known.any() and hasattr(model, "calibrated_classifiers_"):
        chance = calibration.probabilities(model, decision[known])
        table = ReliabilityTable.of(chance, label[known], None if weight is None else weight[known])
    return summarise(
        grid,
        decision,
        label,
        classes,
        numeric_columns(spec, frame),
        weight=weight,
        contributions=attribution.of_scores(model, inputs, decision),
        class_contributions=attribution.of_classes(model, inputs, decision, label, classes),
        reliability=table,
    )

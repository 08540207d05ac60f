"""Rows → decision values → their summary."""

from __future__ import annotations

from typing import Any

from tasks.classifier import calibration
from tasks.classifier.linear import Rows, inputs, linear
from tasks.classifier.margins import Floats, Ints, labelled
from tasks.classifier.training import class_names, numeric_columns
from tasks.drift import attribution
from tasks.drift.grid import Grid
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Summary, need_finite, summarise
from tasks.spec.model import ModelSpec


def score(model: Any, rows: Rows) -> tuple[Floats, Any]:
    """Return decision values, shape (n,) or (n, k), and what the model weighs, shape (n, d).

    `model` is a fitted pipeline, or a calibrated one; `rows` a frame, or its columns by name.
    """
    pipeline = getattr(model, "estimator", model)
    weighed = inputs(pipeline, rows)
    return linear(pipeline).decide(weighed), weighed


def decide(model: Any, rows: Rows) -> Floats:
    """Return the decision values of a fitted or calibrated model, shape (n,) or (n, k)."""
    return score(model, rows)[0]


def summarise_rows(
    spec: ModelSpec,
    grid: Grid,
    model: Any,
    rows: Rows,
    label: Ints,
    decision: Floats,
    weighed: Any,
    weight: Floats | None = None,
) -> Summary:
    """Return the summary of scored rows, with the contributions of their features.

    The probabilities of a calibrated model are held against the labels that are there. Raises
    NotFinite as `summarise` does.
    """
    need_finite(decision)
    classes = class_names(spec)
    known = labelled(label)
    table = None
    if len(label[known]) and hasattr(model, "calibrated_classifiers_"):
        chance = calibration.probabilities(model, decision[known])
        weights = None if weight is None else weight[known]
        table = ReliabilityTable.of(chance, label[known], weights, classes)
    return summarise(
        grid,
        decision,
        label,
        classes,
        numeric_columns(spec, rows),
        weight=weight,
        contributions=attribution.of_scores(model, weighed, decision),
        class_contributions=attribution.of_classes(model, weighed, decision, label, classes),
        reliability=table,
    )

"""Scored rows → their summary."""

from __future__ import annotations

from typing import Any

from tasks.arrays import Floats, Ints
from tasks.classifier import calibration
from tasks.classifier.finite import need_finite
from tasks.classifier.margins import labelled
from tasks.data.frame import Rows, numeric_columns
from tasks.drift import attribution
from tasks.drift.grid import Grid
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Summary, summarise
from tasks.spec.model import ModelSpec


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
    classes = spec.label.names
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
        contributions=attribution.contributions_of_scores(model, weighed, decision),
        class_contributions=attribution.contributions_by_class(
            model, weighed, decision, label, classes
        ),
        reliability=table,
    )

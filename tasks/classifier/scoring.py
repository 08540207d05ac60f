"""Rows → decision values."""

from __future__ import annotations

from typing import Any

from tasks.arrays import Floats
from tasks.classifier import adopted
from tasks.classifier.linear import inputs, linear
from tasks.data.frame import Rows


def score(model: Any, rows: Rows) -> tuple[Floats, Any]:
    """Return decision values, shape (n,) or (n, k), and what the model weighs, shape (n, d).

    `model` is a fitted pipeline, or a calibrated one; `rows` a frame, or its columns by name. See
    `adopted.score_adopted` for a model that was fit elsewhere.
    """
    if (pipeline := adopted.adopted_pipeline(model)) is not None:
        return adopted.score_adopted(pipeline, rows)
    pipeline = getattr(model, "estimator", model)
    weighed = inputs(pipeline, rows)
    return linear(pipeline).decide(weighed), weighed


def decision_values(model: Any, rows: Rows) -> Floats:
    """Return the decision values of a fitted or calibrated model, shape (n,) or (n, k)."""
    return score(model, rows)[0]

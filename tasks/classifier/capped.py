"""Numbers far outside the range of a fit: how many rows a model caps, and a sentence about them.

One value of a feature that was nearly constant in the fit may lie hundreds of its deviations away,
and decide a row, or a mean, alone. Of any distribution at most 1 % lies beyond 10 (Chebyshev).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.classifier import adopted
from tasks.classifier.encoding import scaler_of
from tasks.data.frame import Rows

_NAMED = 6  # features in a sentence


def beyond(model: Any, rows: Rows) -> dict[str, int]:
    """Return by feature in how many rows a model caps it; those of no row are left out.

    `model` is a fitted pipeline, or a calibrated one; `rows` a frame, or its columns by name. What
    was fit elsewhere has no cap of ours.
    """
    if adopted.adopted_pipeline(model) is not None:
        return {}
    found: dict[str, int] = {}
    for kind, step, names in getattr(model, "estimator", model)[0].transformers_:
        if kind != "numeric":
            continue
        scaler, cap = scaler_of(step)
        if cap is None:
            continue
        for name, mean, scale in zip(names, scaler.mean_, scaler.scale_, strict=True):
            values, reach = np.asarray(rows[name], np.float64), cap * scale
            if not len(values) or max(values.max() - mean, mean - values.min()) <= reach:
                continue
            if count := int(np.count_nonzero(np.abs(values - mean) > reach)):
                found[str(name)] = count
    return found


def capped_sentence(found: Mapping[str, float], rows: int) -> str:
    """Return what `beyond` found in these rows, as a sentence, the most first; empty if nothing."""
    if not found:
        return ""
    most = sorted(found.items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} in {count:,.0f}" for name, count in most[:_NAMED])
    more = f" and {len(most) - _NAMED} other features" if len(most) > _NAMED else ""
    return f"values beyond training.cap count as if they lay there: {named} of {rows:,} rows{more}"

"""The spec that each benchmark plays: Gatelatch's defaults, but for what it must be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.spec.model import ModelSpec

# Effects of nothing, so that only what chance shows limits a window: no change is too small.
LIMITS_ALONE: dict[str, Any] = {
    name: {"effect": 1e-9}
    for name in (
        *("ks", "wasserstein", "margin_density"),
        *("hinge_loss", "violation_rate", "class_loss", "class_recall", "class_margin"),
    )
} | {"blind_at": 1e12}


def spec_of(
    name: str,
    features: dict[str, list[str]],
    label: str,
    *,
    every: str = "7d",
    start: str = "2020-01-01",
    train: str = "56d",
    drift: dict[str, Any] | None = None,
    classes: Sequence[int] = (0, 1),
) -> ModelSpec:
    """Return a spec with windows of `every`, retrained on the last `train`."""
    return ModelSpec.model_validate(
        {
            "model": name,
            "owner": {"name": "benchmark", "approvers": ["nobody"]},
            "source": {"path": "unused", "time": "timestamp", "key": "timestamp"},
            "window": {"every": every, "start": start},
            "features": features,
            "label": {"column": label, "classes": list(classes)},
            "training": {"window": train},
            "drift": drift or {},
        }
    )

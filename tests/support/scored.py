"""A model whose rows its champion scores, and a version as `fetch` returns it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from tasks.scoring.fetched_model import FetchedModel
from tasks.spec.model import ModelSpec
from tests.support.candidates import calibrated
from tests.support.flow import SPEC

SCORED: dict[str, Any] = {
    **SPEC,
    "source": {**SPEC["source"], "margin": "f", "version_column": "model"},
    "scoring": {"path": "scores"},
}


def fetched(spec: ModelSpec, classes: int = 2) -> tuple[FetchedModel, Any, pd.DataFrame]:
    """Return a version of a spec, its calibrated model, and rows."""
    model, frame = calibrated(spec, classes)
    found = FetchedModel(
        model="churn",
        version=3,
        promotion=1,
        artifact_digest="da7a",
        features=spec.features,
        classes=spec.label.classes,
        calibrated=model,
        folder=Path("v3"),
    )
    return found, model, frame

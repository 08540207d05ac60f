"""Candidates of small models, registered in MLflow with a lineage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.classifier import calibration, training
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.gate_result import GateResult
from tasks.registry import registry, tracking
from tasks.registry.lineage import Lineage, MadeOf
from tasks.registry.made_with import MadeWith
from tasks.registry.registry import Registered
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.support.flow import day

MIXED = {"numeric": ["x", "z"], "categorical": ["shop"], "text": ["note", "title"]}
on_sqlite = pytest.mark.parametrize("tracked", ["sqlite"], indirect=True)


def rows(classes: int = 2, count: int = 240) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, count))
    label = np.digitize(x + 0.1 * z, [-0.5, 0.5][: classes - 1])
    shop = np.where(x > 0, "north", rng.choice(["south", "west"], count))
    words = np.array(["bad bread", "fair milk", "good tea"])
    frame = {"x": x, "z": z, "shop": shop, "note": words[label], "title": rng.choice(words, count)}
    return pd.DataFrame(frame), label


def calibrated(spec: ModelSpec, classes: int = 2) -> tuple[Any, pd.DataFrame]:
    frame, label = rows(classes)
    fitted = training.fit(spec, frame[:160], label[:160])
    return calibration.learn_probabilities(
        fitted, frame[160:], label[160:], spec.calibration.method
    ), frame


def registered(spec: ModelSpec, model: Any, proposal: str = "p1") -> tuple[str, Registered]:
    run = tracking.start(spec.model, proposal, {"seed": "7"})
    return run, registry.register_version(spec, run, model, record(proposal))


def record(proposal: str = "p1") -> Lineage:
    """Return a lineage as of a trained candidate."""
    return Lineage(
        model="churn",
        owner="team",
        proposal=proposal,
        kind="retrain",
        reason="drift",
        proposer="otto",
        champion=None,
        spec_digest="5bec",
        data=MadeOf(digest="da7a", window=Window(day(1), day(6)), rows=240, accepted=240),
        features={"numeric": ["x", "z"]},
        label="y",
        classes=[0, 1],
        training={"estimator": "linear_svc", "seed": 7},
        calibration={"method": "sigmoid", "share": 0.15},
        structure="aa",
        preprocessing="bb",
        metrics=CandidateMetrics(
            judged_rows=48,
            capped={},
            candidate={"hinge_loss": 0.25},
            champion=None,
            calibration={},
            hinge_gap=0.0,
            support_vectors=3,
            fitted_rows=160,
        ),
        gates=(GateResult("hinge_loss", "passed", "at most 0.5 | bound"),),
        made_with=MadeWith(code="0.1.0", commit=None, python="3.11", packages={"skops": "0.16"}),
    )


def load(spec: ModelSpec, made: Registered) -> Any:
    return registry.load_version(spec.model, made.version, made.artifact_digest)


def folder_of(root: Path) -> Path:
    (path,) = (root / "artifacts").rglob("model.skops")
    return path.parent

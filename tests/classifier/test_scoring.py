"""Scores are those of scikit-learn, though they are not made by it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tasks.classifier import scoring, training
from tasks.spec.model import ModelSpec

Make = Callable[..., ModelSpec]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
def test_scores_are_those_of_scikit_learn(spec: Make, classes: int, offset: float) -> None:
    rng = np.random.default_rng(classes)
    names = [f"x{i}" for i in range(20)]
    frame = pd.DataFrame(rng.normal(size=(400, 20)) * 10 ** rng.uniform(-3, 3, 20), columns=names)
    frame += offset
    label = np.digitize(frame["x0"], np.quantile(frame["x0"], [0.5, 0.8][: classes - 1]))
    model_spec = spec(
        features={"numeric": names}, label={"column": "y", "classes": [*range(classes)]}
    )
    model = training.fit(model_spec, frame, label)
    assert scoring.decision_values(model, frame) == pytest.approx(
        model.decision_function(frame), rel=1e-12, abs=1e-12
    )

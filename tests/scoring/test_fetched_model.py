"""What a fetched model answers is what the monitor measures, and what it cannot score is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tasks.classifier import scoring
from tasks.scoring.fetched_model import NotScored
from tasks.spec.model import ModelSpec
from tests.support.candidates import MIXED
from tests.support.scored import fetched

Spec = Callable[..., ModelSpec]


@pytest.mark.parametrize("method", ["sigmoid", "temperature", "beta"])
@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1, 2)])
@pytest.mark.parametrize("features", [{"numeric": ["x", "z"]}, MIXED])
def test_frames_tables_and_batches_are_scored_alike_and_as_scikit_learn_does(
    spec: Spec, method: str, classes: Any, features: Any
) -> None:
    own = spec(features=features, label={"classes": classes}, calibration={"method": method})
    found, model, frame = fetched(own, len(classes))
    table = pa.Table.from_pandas(frame)
    decision = found.decision_function(frame)
    assert decision.tolist() == scoring.decision_values(model, frame).tolist()
    for rows in (table, table.to_batches()[0], pa.concat_tables([table[:7], table[7:]])):
        assert found.decision_function(rows).tolist() == decision.tolist()
    assert np.allclose(found.predict_proba(table), model.predict_proba(frame))
    index = decision > 0 if decision.ndim == 1 else decision.argmax(axis=1)
    assert found.predict(frame).tolist() == [classes[int(i)] for i in index]


def test_no_rows_have_no_scores(spec: Spec) -> None:
    for classes, shape in (((0, 1), (0,)), ((0, 1, 2), (0, 3))):
        found, _, frame = fetched(spec(label={"classes": classes}), len(classes))
        for rows in (frame[:0], pa.Table.from_pandas(frame[:0]), pa.table({"x": [], "z": []})):
            assert found.decision_function(rows).shape == shape
            assert found.predict_proba(rows).shape == (0, len(classes))
            assert found.predict(rows).shape == (0,)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda f: f.drop(columns="x"), "column x is not there"),
        (lambda f: f.assign(x=[None, *f["x"][1:]]), "column x has missing values"),
        (lambda f: f.assign(x=[np.inf, *f["x"][1:]]), "column x has values that are missing, inf"),
        (lambda f: f.assign(shop=[None, *f["shop"][1:]]), "column shop has missing values"),
        (lambda f: f.assign(x="secret"), "is not of the type of a feature"),
    ],
)
def test_rows_that_cannot_be_scored_are_named_by_column_and_not_quoted(
    spec: Spec, change: Callable[[pd.DataFrame], pd.DataFrame], why: str
) -> None:
    found, _, frame = fetched(spec(features=MIXED))
    with pytest.raises(NotScored, match="churn version 3 cannot score these rows") as said:
        found.predict(change(frame))
    assert why in str(said.value)
    assert "secret" not in str(said.value)


def test_a_category_may_be_of_any_type(spec: Spec) -> None:
    own = spec(features={"numeric": ["x"], "categorical": ["shop"]}, training={"rare_below": 1})
    found, _, frame = fetched(own)
    for values in ([1, 2] * 120, [True, False] * 120, [1.0, 2.0] * 120):
        kinds = (pd.Series(values), pd.Series(values, dtype=object), pd.Series(values).astype(str))
        scores = [found.decision_function(frame.assign(shop=kind)).tolist() for kind in kinds]
        assert scores[0] == scores[1] == scores[2]
    by_code = frame.assign(shop=frame["shop"].astype("category"))
    assert found.predict(by_code).tolist() == found.predict(frame).tolist()

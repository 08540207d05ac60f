"""Rows in the types of training: columns, classes, weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.data.frame import (
    class_indices,
    feature_columns,
    feature_frame,
    numeric_columns,
    sample_weights,
)
from tasks.spec.model import ModelSpec

Make = Callable[..., ModelSpec]


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"x": [1.0, 2.0], "shop": ["a", "b"], "y": [0, 1]} | columns)


def test_features_stand_in_the_order_of_the_spec_in_the_types_of_training(spec: Make) -> None:
    mixed = spec(features={"categorical": ["shop"], "numeric": ["x"]})
    read = feature_columns(mixed, batch(x=[1, 2], shop=[7, 8]))
    assert list(read) == ["x", "shop"]
    assert read["x"].dtype == np.float64
    assert read["shop"].tolist() == ["7", "8"]
    assert list(feature_frame(mixed, batch(x=[1, 2])).columns) == ["x", "shop"]


def test_what_has_the_type_of_training_is_not_copied(spec: Make) -> None:
    rows = batch()
    read = feature_columns(spec(features={"numeric": ["x"]}), rows)["x"]
    assert np.shares_memory(read, rows.column("x").to_numpy())


@pytest.mark.parametrize(
    ("classes", "written", "index"),
    [
        ([0, 1], [1, 0], [1, 0]),
        ([0, 1], [None, 7], [-1, -1]),
        (["no", "yes"], ["yes", None], [1, -1]),
    ],
)
def test_a_label_is_the_index_of_its_class_or_minus_one(
    spec: Make, classes: list[Any], written: list[Any], index: list[int]
) -> None:
    one = spec(label={"classes": classes})
    assert class_indices(one, batch(y=written)).tolist() == index
    assert class_indices(one, batch().select(["x"])).tolist() == [-1, -1]


def test_rows_have_weights_where_the_spec_names_a_column_of_them(spec: Make) -> None:
    assert sample_weights(spec(), batch()) is None
    weighed = sample_weights(spec(source={"weight": "w"}), batch(w=[1, 3]))
    assert weighed is not None
    assert weighed.tolist() == [1.0, 3.0]


def test_numeric_columns_are_those_of_the_spec_alone(spec: Make) -> None:
    mixed = spec(features={"numeric": ["x"], "categorical": ["shop"]})
    assert list(numeric_columns(mixed, feature_frame(mixed, batch()))) == ["x"]

"""The feature columns, classes and weights of a window's rows, in the types of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Floats, Ints
from tasks.spec.model import ModelSpec
from tasks.spec.source_options import Features

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Rows: TypeAlias = "pd.DataFrame | Mapping[str, np.ndarray[Any, Any]]"


def feature_columns(spec: ModelSpec, batch: pa.RecordBatch) -> dict[str, NDArray[Any]]:
    """Return the feature columns of a batch, in the spec's order, in the types of training.

    What is there in that type is not copied. Of a model that is never here the logged margin is
    one of them.
    """
    found = feature_columns_of(spec.features, batch)
    if spec.margins_only and spec.source.margin is not None:
        column = batch.column(spec.source.margin)
        found[spec.source.margin] = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def feature_columns_of(features: Features, batch: pa.RecordBatch) -> dict[str, NDArray[Any]]:
    """Return the columns of these features as `feature_columns` does."""
    import pyarrow as pa

    # A category is its text, so that 7 and "7" from two stores are one.
    kinds = dict.fromkeys(features.numeric, pa.float64())
    kinds |= dict.fromkeys((*features.categorical, *features.text), pa.string())
    found = {}
    for name, kind in kinds.items():
        column = batch.column(name)
        column = column if column.type == kind else column.cast(kind, safe=False)
        found[name] = column.to_numpy(zero_copy_only=False)
    return found


def feature_frame(spec: ModelSpec, batch: pa.RecordBatch) -> pd.DataFrame:
    """Return the feature columns of a batch as a frame."""
    import pandas as pd

    return pd.DataFrame(feature_columns(spec, batch))


def class_indices(spec: ModelSpec, batch: pa.RecordBatch) -> Ints:
    """Return the index of each row's class, -1 where it is not known; shape (n,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = spec.label.column
    index = np.full(batch.num_rows, -1, dtype=np.int64)
    if column in batch.schema.names:
        values = batch.column(column)
        if pa.types.is_string(values.type):  # names of classes, or what stands there instead
            names = pa.array(spec.label.names)
            return np.asarray(pc.index_in(values, value_set=names).fill_null(-1), dtype=np.int64)
        # pandas knows a missing value of any type to be equal to no class; NumPy is faster.
        plain = pa.types.is_integer(values.type) and not values.null_count
        values = values.to_numpy() if plain else values.to_pandas()
        for position, name in enumerate(spec.label.classes):
            same = values == name
            same = same if plain else same.to_numpy(dtype=bool, na_value=False)
            index += same * (position + 1)  # a sum is faster than picking rows
    return index


def sample_weights(spec: ModelSpec, batch: pa.RecordBatch) -> Floats | None:
    """Return the rows' sample weights, shape (n,); None if the spec names no column of them."""
    if spec.source.weight is None:
        return None
    column = batch.column(spec.source.weight)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def numeric_columns(spec: ModelSpec, rows: Rows) -> dict[str, Floats]:
    """Return the numeric feature columns of rows as arrays."""
    return {name: np.asarray(rows[name], dtype=np.float64) for name in spec.features.numeric}

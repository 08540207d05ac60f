"""Rows of one day without a label, and the labels that come from a source of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

Spec = Callable[..., ModelSpec]


DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))


def land(keys: Any, **columns: Any) -> None:
    """Write the window's rows, at equal times apart, without a label."""
    n = len(keys)
    times = [DAY.start + i * timedelta(days=1) / n for i in range(n)]
    table = {"time": pa.array(times, pa.timestamp("us", "UTC")), "id": keys}
    pq.write_table(pa.table({**table, "x": np.linspace(0, 1, n), "z": [1.0] * n, **columns}), "r")


def label(name: str, keys: Any, labels: Any, key: str = "id", column: str = "y") -> None:
    table = pa.table({key: keys, column: labels})
    Path(name).parent.mkdir(exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(table, name)
    else:
        with pa.output_stream(name) as sink:
            csv.write_csv(table, sink)


def read(spec: ModelSpec, window: Window = DAY) -> pa.Table:
    return pa.Table.from_batches(list(batches(spec, window)))

"""Small tables of rows, and what a check of them finds and puts aside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.data.keys import repeated_keys
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation import checked_window
from tasks.validation.checked_window import WindowOutcome
from tasks.validation.rules import Check

WINDOW = Window(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC))
NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
UNIQUE = "expect_column_values_to_be_unique"
TYPES = "expect_column_values_to_be_in_type_list"


def spec_of(**changes: Any) -> ModelSpec:
    raw: dict[str, Any] = {
        "model": "tiny",
        "owner": {"name": "desk", "approvers": ["ada"]},
        "source": {"path": "rows.parquet", "time": "time", "key": "key"},
        "window": {"every": "7d", "start": "2024-01-01", "min_rows": 10},
        "features": {"numeric": ["price", "demand"], "categorical": ["region"]},
        "label": {"column": "up", "classes": [0, 1]},
        "training": {"window": "90d"},
    }
    for path, value in changes.items():
        part, _, name = path.partition("__")
        if name:
            raw.setdefault(part, {})[name] = value
        else:
            raw[part] = value
    return ModelSpec.model_validate(raw)


def rows(n: int = 100, **changes: Any) -> pa.Table:
    step = (WINDOW.end - WINDOW.start) / n
    columns: dict[str, Any] = {
        "time": pa.array([WINDOW.start + i * step for i in range(n)], pa.timestamp("us", "UTC")),
        "key": list(range(n)),
        "price": np.linspace(0, 1, n),
        "demand": np.linspace(5, 9, n),
        "region": ["north", "south"] * (n // 2) + ["north"] * (n % 2),
        "up": [0, 1] * (n // 2) + [0] * (n % 2),
    }
    for name, change in changes.items():
        if isinstance(change, dict):
            values = list(columns[name])
            for place, value in change.items():
                values[place] = value
            columns[name] = values
        else:
            columns[name] = change
    return pa.table(columns)


def run(
    table: pa.Table | list[pa.RecordBatch],
    spec: ModelSpec | None = None,
    constants: Mapping[str, float] | None = None,
) -> tuple[WindowOutcome, list[dict[str, Any]]]:
    """Validate as the monitor does; return the verdict and the quarantined rows."""
    spec = spec or spec_of()
    batches = table.to_batches() if isinstance(table, pa.Table) else table
    key = spec.source.key
    there = [b.select([key] if key in b.schema.names else []) for b in batches]
    repeated = repeated_keys(lambda: there)
    bad: list[pa.Table] = []
    verdict = checked_window.judge_window(
        spec,
        WINDOW,
        iter(batches),
        repeated=repeated,
        constants=constants or {},
        quarantine=bad.append,
    )
    return verdict, [row for part in bad for row in part.to_pylist()]


def check_of(verdict: WindowOutcome, expectation: str, column: str | None = None) -> Check:
    (found,) = (c for c in verdict.checks if (c.expectation, c.column) == (expectation, column))
    return found

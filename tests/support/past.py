"""A small history in memory: ten rows an hour, a known linear rule, and a spec for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from tasks.replay.history import History
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

HOURS = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "model": "churn",
    "owner": {"name": "team"},
    "source": {"path": "unused", "time": "time", "key": "id"},
    "window": {"every": "1h", "start": "2026-01-01", "min_rows": 5},
    "features": {"numeric": ["x", "z"]},
    "label": {"column": "y", "classes": [0, 1]},
    "latch": {"rest": "2h"},
    "training": {"window": "8h"},
    "approval": dict.fromkeys(("retrain", "promote", "rollback"), "automatic"),
}


def spec(**parts: Any) -> ModelSpec:
    """Return the spec; mappings are merged one level deep."""
    merged = {
        name: {**SPEC.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in parts.items()
    }
    return ModelSpec.model_validate(SPEC | merged)


def rows(count: int, hourly: int = 10, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    y = (x + 0.5 * z + rng.normal(scale=0.4, size=count) > 0).astype(np.int64)
    return {"time": np.arange(count) * (3_600_000_000 // hourly), "x": x, "z": z, "y": y}


def past(columns: dict[str, Any]) -> History:
    """Return the history of rows whose `time` are microseconds since START."""
    hours = int(columns["time"][-1] // 3_600_000_000) + 1
    windows = tuple(Window(START + i * HOURS, START + (i + 1) * HOURS) for i in range(hours))
    since = int(START.timestamp()) * 1_000_000
    times = columns["time"] + since
    edges = np.searchsorted(times, since + np.arange(hours + 1) * 3_600_000_000)
    empty = edges[1:] == edges[:-1]
    return History(
        windows,
        tuple("no row" if none else None for none in empty),
        edges,
        times,
        pd.DataFrame({"x": columns["x"], "z": columns["z"]}),
        columns["y"],
    )

"""A model that is never here: its rows as production logs them, its spec, and its owner's DAG."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .landed import DAY, SHIFT, START, WINDOW, write_spec

MODEL, OWNERS = "logged", "train_trees"
SIGNS = {"trees-1": 1, "trees-2": -1}
BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"


def land(home: Path, day: int, name: str = "trees-1") -> None:
    """Write the rows of a day as a version scored them; the rule turns round at SHIFT."""
    rng = np.random.default_rng(day)
    start = START + day * DAY
    rule, noise = rng.normal(size=(2, 400))
    turned = -1 if start >= SHIFT else 1
    columns = {
        "time": pa.array([start + timedelta(minutes=3 * n) for n in range(400)]),
        "id": pa.array(day * 400 + np.arange(400)),
        "score": pa.array(SIGNS[name] * rule),
        "served_by": pa.array([name] * 400),
        "y": pa.array((turned * rule + 0.5 * noise > 0).astype(np.int8)),
    }
    file = home / MODEL / f"{start:%Y-%m-%d}.parquet"
    file.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), file)


def write(models: Path, home: Path) -> None:
    """Write the rows of the first champion, the spec, and the owner's DAG."""
    for day in range(16):
        land(home, day)
    source = {"path": f"{home}/{MODEL}/{{date}}.parquet", "time": "time", "key": "id"}
    write_spec(
        models,
        home,
        MODEL,
        approval="automatic",
        source={**source, "margin": "score", "version_column": "served_by"},
        window={**WINDOW, "min_rows": 100},
        features={},
        latch={"wait": 2, "rest": "1d"},
        training={"window": "2d", "estimator": "margins_only", "dag": OWNERS},
    )
    shutil.copytree(Path(__file__).parent / "owners", home / "owners")


def bundles(home: Path) -> str:
    """Return Airflow's setting for its own DAG folder and the owner's beside it."""
    kind = "airflow.dag_processing.bundles.local.LocalDagBundle"
    folders: dict[str, dict[str, str]] = {
        "dags-folder": {},
        "owners": {"path": str(home / "owners")},
    }
    return json.dumps(
        [{"name": name, "classpath": kind, "kwargs": kwargs} for name, kwargs in folders.items()]
    )

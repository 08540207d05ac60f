"""Peak memory and rows per second of one window, validated and measured: `make bench-memory`.

Each size runs in a process of its own, on Parquet files made for it: 20 numeric features, a label.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.spec import ModelSpec

SIZES = (1_000_000, 4_000_000, 16_000_000)
FEATURES = [f"x{i}" for i in range(20)]
ROWS_PER_FILE = 1_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Print a table of rows, peak memory and rows per second."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    print(f"{'rows':>12} {'peak MB':>9} {'validate rows/s':>16} {'measure rows/s':>15}")
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            for step in ("land", "run"):
                command = [sys.executable, "-m", "benchmarks.monitor_memory", step, str(rows)]
                subprocess.run(command, env=env, cwd=folder, check=True)


def land(rows: int) -> None:
    """Write a training day and the window's files."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    for number, count in enumerate([20_000] + [ROWS_PER_FILE] * (rows // ROWS_PER_FILE)):
        day = 0 if number == 0 else 1
        x = rng.normal(size=(count, len(FEATURES)))
        seconds = np.sort(rng.integers(0, 86_400, count)).astype("timedelta64[s]")
        start = np.datetime64((START + timedelta(days=day)).replace(tzinfo=None), "us")
        table = {name: x[:, i] for i, name in enumerate(FEATURES)}
        table |= {"time": start + seconds, "id": np.arange(count) + number * ROWS_PER_FILE}
        table |= {"y": (x[:, 0] + rng.normal(size=count) > 0).astype(np.int8)}
        folder = Path(f"date={START + timedelta(days=day):%Y-%m-%d}")
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.table(table), folder / f"{number}.parquet")


def run(rows: int) -> None:
    """Bootstrap a champion on the first day, then validate and measure the second."""
    from tasks import monitor, registry
    from tasks.windows import window_at

    os.environ |= {
        "GATELATCH_LEDGER": "sqlite:///ledger.db",
        "GATELATCH_STORE": "store",
        "GATELATCH_ARTIFACTS": "artifacts",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
    }
    spec = ModelSpec.model_validate(
        {
            "model": "large",
            "owner": {"name": "benchmark"},
            "source": {"path": "date={date}/*.parquet", "time": "time", "key": "id"},
            "window": {"every": "1d", "start": "2026-01-01"},
            "features": {"numeric": FEATURES},
            "label": {"column": "y", "classes": [0, 1]},
            "training": {"window": "1d"},
            "approval": {"retrain": "automatic", "promote": "automatic"},
        }
    )
    registry.prepare()
    _bootstrap(spec)
    window = window_at(spec.window, START + timedelta(days=1))
    begun = time.perf_counter()
    validated = monitor.validate(spec, window)
    between = time.perf_counter()
    measured = monitor.measure(spec, window, validated)
    ended = time.perf_counter()
    assert monitor.judge(spec, window, measured).verdict == "steady"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = (rows / (between - begun), rows / (ended - between))
    print(f"{rows:>12,} {peak:>9,.0f} {rates[0]:>16,.0f} {rates[1]:>15,.0f}", flush=True)


def _bootstrap(spec: ModelSpec) -> None:
    from tasks import retrain

    until = START + timedelta(days=1)
    plan = {"reason": "bootstrap", "proposer": "benchmark", "training_window": None}
    retrain.propose(spec, "first", **plan, until=until, now=until)
    retrain.decide(spec, "first", "retrain", None, "")
    run_id = retrain.train(spec, "first")["candidate_run"]
    retrain.calibrate(spec, "first", run_id)
    retrain.gate(spec, "first", run_id)
    retrain.register(spec, "first", run_id)
    brief = retrain.ask_to_promote(spec, "first", "")
    retrain.decide(spec, "first", "promote", None, brief["evidence"])
    retrain.promote(spec, "first")


if __name__ == "__main__":
    {"land": land, "run": run}[sys.argv[1]](int(sys.argv[2])) if sys.argv[1:] else main()

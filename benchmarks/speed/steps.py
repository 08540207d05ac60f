"""The steps that are timed, each in a process of its own: `python -m benchmarks.speed.steps`.

Called with a step and a number of rows. They work in the current folder, on Parquet files made
there: 20 numeric features and a label.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ops import preloaded
from tasks.spec.model import ModelSpec

FEATURES = [f"x{i}" for i in range(20)]
ROWS_PER_FILE = 1_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def timed(work: Callable[[], Any]) -> Any:
    """Run the work, then print its seconds, and this process's seconds of CPU and peak in MB."""
    begun, before = time.perf_counter(), _cpu()
    result = work()
    seconds, cpu = time.perf_counter() - begun, _cpu() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}))
    return result


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


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
        table: dict[str, Any] = {name: x[:, i] for i, name in enumerate(FEATURES)}
        table |= {"time": start + seconds, "id": np.arange(count) + number * ROWS_PER_FILE}
        table |= {"y": (x[:, 0] + rng.normal(size=count) > 0).astype(np.int8)}
        folder = Path(f"date={START + timedelta(days=day):%Y-%m-%d}")
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.table(table), folder / f"{number}.parquet")


def bound(_: int) -> None:
    """Read the columns and multiply them, with nothing in between."""
    import numpy as np
    import pyarrow.dataset as ds

    weights, block = np.ones(len(FEATURES)), np.empty((131_072, len(FEATURES)), order="F")

    def work() -> float:
        total = 0.0
        data = ds.dataset(f"date={START + DAY:%Y-%m-%d}", format="parquet")
        for batch in data.to_batches(columns=[*FEATURES, "y"], batch_size=len(block)):
            x = block[: batch.num_rows]
            for place in range(len(FEATURES)):
                x[:, place] = batch.column(place).to_numpy()
            total += float((x @ weights).sum())
        return total

    timed(work)


def spec() -> ModelSpec:
    """Return the spec, after pointing every store at this folder."""
    os.environ |= {
        "GATELATCH_LEDGER": "sqlite:///ledger.db",
        "GATELATCH_STORE": "store",
        "GATELATCH_ARTIFACTS": "artifacts",
        "GATELATCH_SIGNING_KEY": "signing.pem",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
    }
    return ModelSpec.model_validate(
        {
            "model": "large",
            "owner": {"name": "benchmark"},
            "source": {"path": "date={date}/*.parquet", "time": "time", "key": "id"},
            "window": {"every": "1d", "start": "2026-01-01"},
            "features": {"numeric": FEATURES},
            "label": {"column": "y", "classes": [0, 1]},
            "training": {"window": "1d"},
            "approval": dict.fromkeys(("retrain", "promote", "rollback"), "automatic"),
        }
    )


def validate(_: int) -> None:
    from tasks.flows import monitor
    from tasks.spec.windows import window_at

    preloaded.load()  # as Airflow's scheduler has, before it forks a task
    model = spec()
    window = window_at(model.window, START + DAY)
    result = timed(lambda: monitor.validate(model, window))
    Path("validated.json").write_text(json.dumps(result.to_json()))


def digest(_: int) -> None:
    """Do the part of `measure` that proves which rows it measured."""
    from tasks.data import window_rows
    from tasks.spec.windows import window_at

    preloaded.load()
    model = spec()
    window = window_at(model.window, START + DAY)
    found = timed(lambda: window_rows.digest_of(model, window))
    assert found == json.loads(Path("validated.json").read_text())["checked"]["data_digest"]


def measure(_: int) -> None:
    from tasks.flows.measure import measure
    from tasks.flows.window_steps import Validated
    from tasks.spec.windows import window_at

    preloaded.load()  # as Airflow's scheduler has, before it forks a task
    model = spec()
    window = window_at(model.window, START + DAY)
    validated = Validated.from_json(json.loads(Path("validated.json").read_text()))
    result = timed(lambda: measure(model, window, validated))
    Path("measured.json").write_text(json.dumps(result.to_json()))


def judge(_: int) -> None:
    """Time the verdict alone: two summaries are read, then judged as often as takes a while."""
    from tasks import store
    from tasks.drift import summary_json, verdict
    from tasks.flows import monitor, observe
    from tasks.flows.window_steps import Measured
    from tasks.ledger.ledger import Ledger
    from tasks.spec.windows import window_at

    model = spec()
    measured = Measured.from_json(json.loads(Path("measured.json").read_text()))
    window = summary_json.summary_from_json(json.loads(store.read_bytes(measured.summary or "")))
    reference = observe.reference_of(model, Ledger.open(), 1)
    first = verdict.judge_margins(window, reference, model)  # solves and keeps the critical values
    timed(lambda: verdict.judge_margins(window, reference, model))
    assert first.verdict == "steady"
    place = window_at(model.window, START + DAY)
    assert monitor.judge(model, place, measured).verdict == "steady"


def bootstrap(_: int) -> None:
    """Train and promote the first champion on the first day."""
    from tasks.flows import retrain
    from tasks.promotion import decisions, promotion, proposals
    from tasks.registry import tracking
    from tasks.signing import keyring

    model = spec()
    tracking.prepare_store()
    keyring.create_keys()
    until = START + DAY
    proposals.propose(
        model,
        "first",
        reason="bootstrap",
        proposer="benchmark",
        training_window=None,
        until=until,
        now=until,
    )
    decisions.decide(model, "first", "retrain", None)
    run_id = retrain.train(model, "first")["candidate_run"]
    retrain.calibrate(model, "first", run_id)
    retrain.gate(model, "first", run_id)
    retrain.register(model, "first", run_id)
    decisions.decide(model, "first", "promote", None)
    promotion.promote(model, "first")


STEPS = {f.__name__: f for f in (land, bootstrap, bound, validate, digest, measure, judge)}

if __name__ == "__main__":
    STEPS[sys.argv[1]](int(sys.argv[2]))

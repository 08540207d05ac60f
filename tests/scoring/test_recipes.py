"""The recipes of docs/production.md, run as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tasks.audit.verified_model import model_of
from tasks.classifier import scoring
from tasks.ledger.ledger import Ledger
from tasks.scoring import fetch
from tests.support.flow import FIRST, MODEL, At, file, promote
from tests.support.served import free_port, started

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/production.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAMED = {m[1]: code for code in CODE if (m := re.match(r"# (\w+)\.py\n", code))}


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert not done.returncode, done.stderr


@pytest.fixture
def rows(at: At) -> pd.DataFrame:
    at("promoted")
    Path("rows.parquet").write_bytes(file(12).read_bytes())
    return pd.read_parquet("rows.parquet")


def test_every_block_of_the_page_is_run_here() -> None:
    assert list(NAMED) == ["batch", "serve", "by_alias", "to_onnx"]
    assert len(CODE) == len(NAMED) + 1


def test_the_first_steps(rows: pd.DataFrame) -> None:
    run(CODE[0])


def test_the_batch_job_writes_what_the_monitor_reads(rows: pd.DataFrame) -> None:
    run(NAMED["batch"])
    scores = pq.read_table("scores.parquet")
    assert scores.column("id").to_pylist() == rows["id"].tolist()
    assert set(scores.column("model_version").to_pylist()) == {2}
    ours = scoring.decision_values(model_of(MODEL, Ledger.open(), 2), rows)
    assert scores.column("margin").to_pylist() == ours.tolist()


def test_mlflow_serves_the_alias_and_the_verified_folder_alike(rows: pd.DataFrame) -> None:
    run(NAMED["by_alias"])


def test_an_onnx_file_scores_as_the_champion_does(rows: pd.DataFrame) -> None:
    run(NAMED["to_onnx"])


@contextmanager
def served() -> Iterator[httpx.Client]:
    """Run the page's server as its command does, but it asks for the champion more often."""
    here = Path.cwd()
    code = NAMED["serve"].replace("30.0", "0.1").replace('"champion", ', f'"{here}/champion", ')
    (here / "serve.py").write_text(code)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "serve:app", "--port", str(port)]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{here}"}
    url = f"http://127.0.0.1:{port}"
    with (
        started(command, env, url, here / "serve.log"),
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


def score(client: httpx.Client, rows: list[dict[str, float]]) -> dict[str, Any]:
    return dict(client.post("/score", json=rows).raise_for_status().json())


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, Path("serve.log").read_text()
        time.sleep(0.05)


def test_the_server_follows_a_promotion_and_no_answer_mixes_two_versions(at: At) -> None:
    at("registered")
    frame = pd.read_parquet(file(12))[["x", "z"]]
    theirs = {v: scoring.decision_values(model_of(MODEL, Ledger.open(), v), frame) for v in (1, 2)}
    body = frame.to_dict("records")
    with served() as client, ThreadPoolExecutor(2) as threads:
        answers = [score(client, body)]
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                answers.append(score(client, body))

        asking = [threads.submit(ask) for _ in range(2)]
        try:
            promote(FIRST)
            wait_for(lambda: answers[-1]["version"] == 2)
        finally:
            stop.set()
        for one in asking:
            one.result()
        refused = client.post("/score", json=[{"x": 1.0}])
    assert {answer["version"] for answer in answers} == {1, 2}
    for answer in answers:
        assert np.array_equal(answer["margin"], theirs[answer["version"]])
    assert (refused.status_code, "column z is not there" in refused.text) == (422, True)


def test_the_server_goes_on_with_what_it_has_where_mlflow_is_away(
    at: At, without_ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("promoted")
    without_ledger()
    fetch.fetch("churn", to="champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with served() as client:
        assert score(client, [{"x": 1.0, "z": 0.0}])["version"] == 2
        wait_for(lambda: "version 2 stays" in Path("serve.log").read_text())


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("import tasks.scoring.fetch", ["airflow", "mlflow", "pandas", "sklearn", "sqlalchemy"]),
        (
            "import pyarrow as pa; from tasks.scoring.fetch import load_fetched; "
            "load_fetched('champion').predict_proba(pa.table({'x': [0.5], 'z': [1.0]}))",
            ["airflow", "mlflow", "sqlalchemy", "duckdb", "great_expectations"],
        ),
        (
            "from tasks.scoring.fetch import fetch; fetch('churn', to='champion')",
            ["airflow", "duckdb", "great_expectations"],
        ),
    ],
)
def test_nothing_is_imported_that_scoring_does_not_need(
    at: At, without_ledger: Any, code: str, without: list[str]
) -> None:
    at("promoted")
    without_ledger()
    fetch.fetch("churn", to="champion")
    there = f"import sys; assert not {{*{without}}} & set(sys.modules), set(sys.modules)"
    run(f"{code}; {there}")

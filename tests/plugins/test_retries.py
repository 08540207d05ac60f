"""What Airflow tries again, and what it does not: runs against an MLflow that is really down."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from ops import mlflow_process
from tasks.registry import tracking
from tests.support.flow import MODEL, At, beginning, enter, land, read
from tests.support.in_airflow import RUN, command, environment, python
from tests.support.served import free_port, started

DOWN = 20.0  # seconds from the first request that nobody answered
BOOTSTRAP = {"reason": "bootstrap", "training_window": "5d", "until": "2026-01-06"}
KINDS = """
import json
from airflow.dag_processing.dagbag import DagBag
import tasks.errors
from tasks.disk import Unusable
from tasks.registry.tracking import ModelRefused, RegistryRefused, RegistryUnreachable
from tasks.spec.part import SpecError
met = [ModelRefused, RegistryRefused, SpecError, RegistryUnreachable, Unusable, KeyError]
print(json.dumps({{
    f"{{dag.dag_id}} {{task.task_id}}": [
        task.retry_policy.evaluate(kind("x"), 1, task.retries).action.value for kind in met
    ]
    for dag in DagBag({dags!r}).dags.values() for task in dag.tasks
}}))
"""


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    spec = MODEL.model_dump(mode="json", exclude_none=True)
    spec["approval"] = {"retrain": "automatic", "promote": "automatic"}
    (folder / "churn.yaml").write_text(yaml.safe_dump(spec))
    return folder


def test_every_task_retries_by_kind_and_knows_no_class(tmp_path: Path, models: Path) -> None:
    told = json.loads(python(tmp_path, models, KINDS).splitlines()[-1])
    assert len(told) > 15
    assert {tuple(actions) for actions in told.values()} == {("fail",) * 3 + ("default",) * 3}


def run_while_mlflow_is_down(dag: str, conf: dict[str, Any], models: Path) -> str:
    """Run a DAG with nobody at MLflow's address; start MLflow long after the first step needed it.

    Returns what the run printed.
    """
    home, port = Path.cwd(), free_port()
    mlflow_process.settle(home)
    url, password = f"http://127.0.0.1:{port}", "secret"
    env = environment(home, models) | {"MLFLOW_TRACKING_URI": url}
    login = {"MLFLOW_TRACKING_USERNAME": "gatelatch", "MLFLOW_TRACKING_PASSWORD": password}
    log = home / "run.log"
    with log.open("wb") as out:
        run = subprocess.Popen(
            command(RUN, dag=dag, conf=conf), env=env | login, cwd=home, stdout=out, stderr=out
        )
    try:
        while "MLflow does not answer" not in log.read_text():
            assert run.poll() is None, log.read_text()[-5000:]
            time.sleep(0.1)
        time.sleep(DOWN)
        assert run.poll() is None, log.read_text()[-5000:]
        served = mlflow_process.environment(home, env, password)
        server = mlflow_process.command(home, port)
        with started(server, served, url, home / "mlflow.log"):
            run.wait(400)
    finally:
        run.kill()
        run.wait()
    return log.read_text()


def test_an_mlflow_that_is_down_for_20_seconds_ends_no_rollback(at: At, models: Path) -> None:
    at("promoted")
    told = run_while_mlflow_is_down("rollback.churn", {"reason": "many complaints"}, models)
    assert "STATE success" in told, told[-5000:]
    assert "restore its files" not in told
    (*_, last) = read().promotions
    assert (last.version, last.expected, last.reason) == (1, 2, "rollback: many complaints")


def test_an_mlflow_that_is_down_for_20_seconds_ends_no_retrain(
    stores: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = stores / "home"
    (home / "data").mkdir(parents=True)
    enter(monkeypatch, home)
    # As `init` does: the server need not make its tables while a step waits.
    tracking.prepare_store()
    for number in range(1, 6):
        land(number)
    told = run_while_mlflow_is_down("retrain.churn", BOOTSTRAP, models)
    assert "STATE success" in told, told[-5000:]
    assert read().champion == 1


def test_an_mlflow_that_is_down_for_20_seconds_costs_the_monitor_no_window(
    at: At, models: Path
) -> None:
    at("bootstrapped")
    told = run_while_mlflow_is_down("monitor.churn", {"window": "2026-01-06T12:00:00"}, models)
    assert "STATE success" in told, told[-5000:]
    assert "churn v1 [2026-01-06 00:00, 2026-01-07 00:00): steady" in told


@contextmanager
def altered(version: str) -> Iterator[None]:
    """Change the file of a version, and put it back: other tests share it."""
    source = MlflowClient().get_model_version_download_uri("churn", version)
    file = Path(source.removeprefix("file://")) / "model.skops"
    kept = file.read_bytes()
    file.write_bytes(kept + b"0")
    try:
        yield
    finally:
        file.write_bytes(kept)


@pytest.mark.parametrize(
    ("stage", "dag", "conf"),
    [
        ("promoted", "rollback.churn", {"reason": "many complaints"}),
        ("bootstrapped", "monitor.churn", {"window": "2026-01-06T12:00:00"}),
    ],
)
def test_a_signature_that_does_not_hold_is_not_tried_twice(
    at: At, models: Path, stage: str, dag: str, conf: dict[str, str]
) -> None:
    at(stage)
    with altered("1"):
        told = python(Path.cwd(), models, RUN, dag=dag, conf=conf)
    assert "STATE failed" in told
    assert "churn version 1 is refused: model.sig does not hold: model.skops was changed" in told
    assert "UP_FOR_RETRY" not in told.upper()

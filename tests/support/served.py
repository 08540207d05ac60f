"""MLflow's server as `make up` starts it and by compose, and what it must not touch."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ops import mlflow_process, stack, stack_settings
from tests.support.attack import SECRET, Server
from tests.support.composed import composed


def surround(folder: Path) -> Path:
    """Make what must stay as it is: folders whose files are run as code, and a key."""
    for name in ("dags", "plugins", "models", "store", "keys"):
        (folder / name).mkdir()
        (folder / name / "there.txt").write_text(name)
    (folder / "keys" / "signing.pem").write_text(f"-----{SECRET}-----\n")
    return folder


@contextmanager
def started(command: list[str], env: dict[str, str], url: str, log: Path) -> Iterator[int]:
    """Start a server, wait until it is healthy, yield its process id, stop it."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=stack_settings.ROOT,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                if httpx.get(f"{url}/health", timeout=5).is_success:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@contextmanager
def made_up(folder: Path) -> Iterator[tuple[Server, int]]:
    """Start the MLflow of `make up`, as `ops.stack` starts it."""
    home = surround(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AIRFLOW_PORT", "MLFLOW_PORT", "LOG_PORT"):
            patch.setenv(name, str(free_port()))
        settings = stack_settings.settings_of(home)
    mlflow_process.settle(home)
    env = stack_settings.environment(home, settings)
    subprocess.run(
        [sys.executable, "-m", "tasks", "init"], env=env, cwd=stack_settings.ROOT, check=True
    )
    server = Server(
        settings.mlflow_url,
        settings.mlflow_password,
        mlflow_process.database(home),
        mlflow_process.artifacts(home),
        home,
    )
    server.root.mkdir(exist_ok=True)
    command = stack.commands(settings, home)["mlflow"]
    env = stack_settings.environment_of("mlflow", home, settings)
    with started(command, env, settings.mlflow_url, folder / "mlflow.log") as pid:
        yield server, pid


@contextmanager
def by_compose(folder: Path) -> Iterator[tuple[Server, int]]:
    """Start the MLflow of the compose file: its very command, on PostgreSQL, as its own user."""
    surround(folder)
    with (
        composed(folder, free_port()) as (command, env, server),
        started(command, env, server.url, folder / "mlflow.log") as pid,
    ):
        yield server, pid


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

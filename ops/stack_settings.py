"""What a stack keeps for its whole life, and the environment of its processes."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ops import mlflow_process

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
OPERATOR, APPROVER = "otto", "ada"


class StackError(Exception):
    """The stack cannot start or stop: says why, and where to look."""


@dataclass(frozen=True)
class Settings:
    """What a home keeps for its whole life: ports, passwords, keys."""

    airflow_port: int
    mlflow_port: int
    log_port: int
    passwords: dict[str, str] = field(repr=False)
    jwt_secret: str = field(repr=False)
    models: str
    mlflow_password: str = field(default="", repr=False)
    changed: dict[str, str] = field(default_factory=dict)  # of the environment, by a benchmark

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"


def settings_of(
    home: Path,
    models: Path | None = None,
    approvers: tuple[str, ...] = (),
    changed: Mapping[str, str] | None = None,
) -> Settings:
    """Return a home's settings: made on the first call, then kept.

    Other models and new approvers are taken in; AIRFLOW_PORT, MLFLOW_PORT and LOG_PORT choose the
    ports of a new home.
    """
    file = home / "settings.json"
    if file.exists():
        settings = Settings(**json.loads(file.read_text()))
    else:
        models = models or ROOT / "models"
        settings = Settings(
            airflow_port=_port("AIRFLOW_PORT", 8080),
            mlflow_port=_port("MLFLOW_PORT", 5000),
            log_port=_port("LOG_PORT", 8793),
            passwords={},
            jwt_secret=secrets.token_hex(64),
            models="",
        )
    users = dict.fromkeys([OPERATOR, APPROVER, *settings.passwords, *approvers])
    settings = replace(
        settings,
        models=str(models.resolve()) if models else settings.models,
        changed={**settings.changed, **(changed or {})},
        mlflow_password=settings.mlflow_password or secrets.token_urlsafe(9),
        passwords={u: settings.passwords.get(u) or secrets.token_urlsafe(9) for u in users},
    )
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # rows, logs, ledger: nobody else's, whatever is in there and from whenever
    _write_secret(file, asdict(settings))
    _write_secret(home / "passwords.json", settings.passwords)
    return settings


def _write_secret(file: Path, content: object) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)  # also if somebody copied it here
    file.write_text(json.dumps(content, indent=1))


def _port(variable: str, usual: int) -> int:
    """Return the configured port, or the usual one if it is free, or any free one."""
    if chosen := os.environ.get(variable):
        return int(chosen)
    for port in (usual, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackError("no free port on the loopback")


def environment(home: Path, settings: Settings) -> dict[str, str]:
    """Return the environment of Airflow, and of every command that is run on the stack."""
    airflow = home / "airflow"
    # What the caller names itself goes before the stack's settings of Airflow.
    path = [str(ROOT), os.environ.get("PYTHONPATH", ""), str(ROOT / "ops" / "airflow")]
    own = {
        "AIRFLOW_HOME": str(airflow),
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "GATELATCH_MODELS": settings.models,
        "GATELATCH_LEDGER": f"sqlite:///{home / 'ledger.db'}",
        "GATELATCH_STORE": str(home / "store"),
        "GATELATCH_ARTIFACTS": str(mlflow_process.artifacts(home)),
        "GATELATCH_SIGNING_KEY": str(home / "signing.pem"),
        "GATELATCH_MLFLOW_UI": settings.mlflow_url,
        "MLFLOW_TRACKING_URI": mlflow_process.database(home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "OMP_NUM_THREADS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:op" for u in settings.passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{settings.airflow_url}/execution/",
        # Longer than any write. The API server can lock itself out, in its loop and in one of its
        # threads, until this is over; heartbeats must not be missed meanwhile.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow / 'airflow.db'}?timeout=20",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": settings.airflow_url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.jwt_secret,
        "AIRFLOW__API__SECRET_KEY": settings.jwt_secret[:32],
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(settings.log_port),
        # Airflow sets the modes of task logs itself, past any umask.
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(settings.log_port + 1),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A task that was killed is missed after a minute, not after five. On SQLite a heartbeat may
        # have to wait for somebody's transaction, so not sooner.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # A watcher that misses the end of a task's process holds its slot until its next heartbeat.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "15",  # as long as 3 of 5 seconds
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
    }
    return {**os.environ, **own, **settings.changed}


def environment_of(name: str, home: Path, settings: Settings) -> dict[str, str]:
    """Return the environment of one process of the stack: no secret that it has no use for."""
    everything = environment(home, settings)
    if name == "mlflow":
        return mlflow_process.environment(home, everything, settings.mlflow_password)
    if name == "dag-processor":  # it executes DAG files, and signs nothing
        del everything["AIRFLOW__API_AUTH__JWT_SECRET"], everything["AIRFLOW__API__SECRET_KEY"]
    return everything

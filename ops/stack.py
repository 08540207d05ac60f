"""Airflow and the MLflow UI on this machine, bound to the loopback: `python -m ops.stack up`.

Everything lives in one folder: SQLite stores, logs, secrets, reports. `up` on a folder that was
used before goes on where it stopped, also after a crash.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from rich.console import Console

from ops import confined, mlflow_process
from ops.doors import WRITER

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
OPERATOR, APPROVER = "otto", "ada"
_START_SECONDS = 120
_UMASK = 0o077  # a second wall behind the folder: what is copied out of it keeps its mode

out = Console(highlight=False, soft_wrap=True)
app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


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

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"


def settings_of(
    home: Path, models: Path | None = None, approvers: tuple[str, ...] = ()
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


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


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
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow / 'airflow.db'}?timeout=60",
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
    return {**os.environ, **own}


def environment_of(name: str, home: Path, settings: Settings) -> dict[str, str]:
    """Return the environment of one process of the stack: no secret that it has no use for."""
    everything = environment(home, settings)
    if name == "mlflow":
        return mlflow_process.environment(home, everything, settings.mlflow_password)
    if name == "dag-processor":  # it executes DAG files, and signs nothing
        del everything["AIRFLOW__API_AUTH__JWT_SECRET"], everything["AIRFLOW__API__SECRET_KEY"]
    return everything


def commands(settings: Settings, home: Path) -> dict[str, list[str]]:
    """Return the command of each process, by name."""
    airflow = str(BIN / "airflow")
    return {
        "scheduler": [airflow, "scheduler"],
        "dag-processor": [airflow, "dag-processor"],
        "api-server": [airflow, "api-server"],
        "triggerer": [airflow, "triggerer"],  # approvals need none, but the UI would show it red
        "mlflow": mlflow_process.command(home, settings.mlflow_port),
    }


def start(home: Path, settings: Settings) -> None:
    """Start what does not run yet, and return when Airflow answers and has read the DAGs.

    Raises
    ------
    StackError
        If a process ends early or does not answer in time; names its log.
    """
    stop(home)
    (home / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
    mlflow_process.settle(home)
    _prepare(home, environment(home, settings))
    running = {}
    for name, command in commands(settings, home).items():
        with open(home / "logs" / f"{name}.log", "ab", opener=_private) as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment_of(name, home, settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=_UMASK,
            )
        running[name] = process
        _remember(home, {n: p.pid for n, p in running.items()})
    _wait_until_healthy(home, settings, running)


def _prepare(home: Path, env: dict[str, str]) -> None:
    """Create or upgrade the stores, all at once."""
    steps = {
        "db-migrate": [str(BIN / "airflow"), "db", "migrate"],
        "init": [sys.executable, "-m", "tasks", "init"],
    }
    log_of = {name: home / "logs" / f"{name}.log" for name in steps}
    started = {}
    for name, command in steps.items():
        with open(log_of[name], "wb", opener=_private) as log:
            started[name] = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=log, stderr=log, umask=_UMASK
            )
    for name, process in started.items():
        if process.wait():
            raise StackError(f"{name} failed; see {log_of[name]}")


def _wait_until_healthy(
    home: Path, settings: Settings, running: dict[str, subprocess.Popen[bytes]]
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for name, process in running.items():
            if process.poll() is not None:
                stop(home)
                raise StackError(f"{name} ended early; see {home / 'logs' / f'{name}.log'}")
        if _healthy(settings):
            return
        time.sleep(0.3)
    stop(home)
    raise StackError(f"not healthy after {_START_SECONDS} s; see the logs in {home / 'logs'}")


def _healthy(settings: Settings) -> bool:
    try:
        health = httpx.get(f"{settings.airflow_url}/api/v2/monitor/health", timeout=5).json()
        mlflow = httpx.get(f"{settings.mlflow_url}/health", timeout=5)
        # The first request of a task makes the server build what answers it. For these seconds it
        # answers nobody, and on SQLite a transaction that is open then keeps all others waiting.
        httpx.get(f"{settings.airflow_url}/execution/health", timeout=60)
    except (httpx.HTTPError, ValueError):
        return False
    parts = ("metadatabase", "scheduler", "dag_processor")
    return mlflow.is_success and all(health[p]["status"] == "healthy" for p in parts)


def airflow(home: Path, settings: Settings, *arguments: str) -> str:
    """Run an `airflow` command against the stack; return what it printed.

    Raises
    ------
    StackError
        If the command fails, with the end of what it printed.
    """
    done = subprocess.run(
        [str(BIN / "airflow"), *arguments],
        env=environment(home, settings),
        capture_output=True,
        text=True,
        check=False,
        umask=_UMASK,
    )
    if done.returncode:
        told = (done.stdout + done.stderr)[-2000:]
        raise StackError(f"airflow {' '.join(arguments)} failed: {told}")
    return done.stdout


def stop(home: Path) -> bool:
    """Stop every process of the stack, children included; return whether any ran."""
    file = home / "processes.json"
    if not file.exists():
        return False
    processes = _processes(home)
    end(processes)
    file.unlink(missing_ok=True)
    return bool(processes)


def end(processes: list[psutil.Process]) -> None:
    """End processes; what does not end when it is asked to is killed."""
    for process in processes:
        _send(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(processes, timeout=8)
    for process in stubborn:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=5)


def _processes(home: Path) -> list[psutil.Process]:
    """Return every process of the stack, children included."""
    file = home / "processes.json"
    parents = []
    for pid, started in json.loads(file.read_text()).values() if file.exists() else ():
        # A number may belong to another program by now: the start time tells.
        if psutil.pid_exists(pid) and abs(psutil.Process(pid).create_time() - started) < 1:
            parents.append(psutil.Process(pid))
    processes = [*parents, *(c for p in parents for c in p.children(recursive=True))]
    return processes + _orphans(home, {p.pid for p in processes})


def _orphans(home: Path, known: set[int]) -> list[psutil.Process]:
    """Return the stack's processes that lost their parent, as after a kill -9."""
    mine = str(home / "airflow")
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in known and process.environ().get("AIRFLOW_HOME") == mine:
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.pid != os.getpid()]


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _remember(home: Path, pids: dict[str, int]) -> None:
    started = {n: (pid, psutil.Process(pid).create_time()) for n, pid in pids.items()}
    with open(home / "processes.json", "w", opener=_private) as file:
        file.write(json.dumps(started))


def memory(home: Path) -> int:
    """Return the proportional memory of all processes of the stack, in bytes."""
    total = 0
    for process in _processes(home):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def cpu_seconds(home: Path) -> float:
    """Return the processor's seconds of all processes of the stack, and of those that ended."""
    return cpu_of(_processes(home))


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    """Return the processor's seconds of these processes, and of children of theirs that ended."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def show_address(settings: Settings) -> None:
    """Print the addresses, and the users with their passwords."""
    out.print(f"Airflow   [bold]{settings.airflow_url}[/]")
    for user, password in settings.passwords.items():
        out.print(f"          user [bold]{user}[/]  password [bold]{password}[/]")
    out.print(f"MLflow    [bold]{settings.mlflow_url}[/]  to read; to write")
    out.print(f"          user [bold]{WRITER}[/]  password [bold]{settings.mlflow_password}[/]")
    if said := confined.unconfined():
        out.print(f"[yellow]{said}[/]")


Home = Annotated[Path, typer.Option(help="folder that holds everything the stack keeps")]


@app.command()
def up(
    home: Home = Path(".run/demo"),
    models: Annotated[Path | None, typer.Option(help="folder of model specs")] = None,
) -> None:
    """Start the stack, or go on with one that was stopped or killed."""
    home = home.resolve()
    settings = settings_of(home, models, approvers(models))
    with out.status("starting Airflow and MLflow"):
        try:
            start(home, settings)
        except StackError as error:
            out.print(f"[red]{error}[/]")
            raise typer.Exit(1) from None
    show_address(settings)
    own = "" if home.name == "demo" else f" MODELS={settings.models}"
    out.print(
        f"Where a model stands: `make status MODEL=name{own}`. Stop it with `make down{own}`."
    )


def approvers(models: Path | None = None) -> tuple[str, ...]:
    """Return the approvers that the specs name: each becomes a user of this stack."""
    from tasks.spec.spec_files import load_all

    usable, mistakes = load_all(models or ROOT / "models")
    for said in mistakes:
        out.print(said, style="yellow", markup=False)
    return tuple(dict.fromkeys(user for spec in usable for user, _ in spec.owner.users))


@app.command(name="tasks", context_settings={"ignore_unknown_options": True})
def tasks_command(arguments: list[str], home: Home = Path(".run/demo")) -> None:
    """Run `python -m tasks` on the stack's models and ledger: `tasks status MODEL`."""
    home = home.resolve()
    command = [sys.executable, "-m", "tasks", *arguments]
    done = subprocess.run(command, env=environment(home, settings_of(home)), check=False)
    raise typer.Exit(done.returncode)


@app.command()
def down(home: Home = Path(".run/demo")) -> None:
    """Stop the stack; everything it keeps stays."""
    ran = stop(home.resolve())
    out.print("stopped" if ran else "nothing was running")


if __name__ == "__main__":
    app()

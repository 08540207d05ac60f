"""Airflow and the MLflow UI on this machine, bound to the loopback: `python -m ops.stack up`.

Everything lives in one folder: SQLite stores, logs, secrets, reports. `up` on a folder that was
used before goes on where it stopped, also after a crash.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from ops import confined, mlflow_process
from ops.doors import WRITER
from ops.stack_processes import private, remember, stop
from ops.stack_settings import (
    BIN,
    ROOT,
    Settings,
    StackError,
    environment,
    environment_of,
    settings_of,
)

_START_SECONDS = 120
UMASK = 0o077  # a second wall behind the folder: what is copied out of it keeps its mode

out = Console(highlight=False, soft_wrap=True)
app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


def commands(settings: Settings, home: Path) -> dict[str, list[str]]:
    """Return the command of each process, by name."""
    airflow = str(BIN / "airflow")
    celery = settings.changed.get("AIRFLOW__CORE__EXECUTOR") == "CeleryExecutor"
    return {
        **({"worker": [airflow, "celery", "worker"]} if celery else {}),
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
        with open(home / "logs" / f"{name}.log", "ab", opener=private) as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment_of(name, home, settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=UMASK,
            )
        running[name] = process
        remember(home, {n: p.pid for n, p in running.items()})
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
        with open(log_of[name], "wb", opener=private) as log:
            started[name] = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=log, stderr=log, umask=UMASK
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
        umask=UMASK,
    )
    if done.returncode:
        told = (done.stdout + done.stderr)[-2000:]
        raise StackError(f"airflow {' '.join(arguments)} failed: {told}")
    return done.stdout


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
    env = environment(home, settings_of(home))
    # What it leaves in the store has the modes that everything else there has.
    done = subprocess.run(command, env=env, umask=UMASK, check=False)
    raise typer.Exit(done.returncode)


@app.command()
def down(home: Home = Path(".run/demo")) -> None:
    """Stop the stack; everything it keeps stays."""
    ran = stop(home.resolve())
    out.print("stopped" if ran else "nothing was running")


if __name__ == "__main__":
    app()

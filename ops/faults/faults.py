"""What is done to a service: its processes are killed or stopped, as the machine would."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from ops.native import __main__ as native

_HANGS = 45.0  # seconds: more than MLFLOW_HTTP_REQUEST_TIMEOUT
_CUT = """
export PGPASSWORD=$(cat /run/secrets/postgres_password)
psql --host=127.0.0.1 --username=gatelatch --dbname=postgres --quiet --tuples-only --command="
  select pg_terminate_backend(pid) from pg_stat_activity
  where usename in ('airflow', 'ledger', 'mlflow')"
"""


def kill(home: Path, service: str) -> list[str]:
    """Kill all containers of a service at once, as `kill -9` of its program does."""
    names = containers(home, service)
    for program in [one for name in names for one in programs(home, name)]:
        _send(program, signal.SIGKILL)
    return names


def hang_mlflow(home: Path) -> list[str]:
    """Stop MLflow's server for a while: it takes connections, and answers none of them."""
    send(home, "mlflow", signal.SIGSTOP)
    later = threading.Timer(_HANGS, send, (home, "mlflow", signal.SIGCONT))
    later.daemon = True
    later.start()
    return [f"mlflow for {_HANGS:.0f} s"]


def cut_connections(home: Path) -> list[str]:
    """Have PostgreSQL end every connection of Airflow, MLflow and the ledger."""
    command = native.beside(home, "postgres", ["sh", "-euc", _CUT])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [f"{done.stdout.count('t')} connections"]


def send(home: Path, service: str, number: signal.Signals) -> None:
    """Send a signal to every process of a service."""
    for name in containers(home, service):
        for program in programs(home, name):
            for process in [*program.children(recursive=True), program]:
                _send(process, number)


def containers(home: Path, service: str) -> list[str]:
    """Return the names of a service's containers."""
    return [name for name in native.states(home) if name.rstrip("-0123456789") == service]


def task(home: Path, instance: str) -> psutil.Process | None:
    """Return the process in which a task instance runs."""
    for process in _keeper(home).children(recursive=True):
        with suppress(psutil.Error):
            if " ".join(process.cmdline()).strip() == f"airflow worker -- {instance}":
                return process
    return None


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


def programs(home: Path, container: str) -> Iterator[psutil.Process]:
    """Yield the program of a container: below bubblewrap, and below the container's first."""
    for outer in _keeper(home).children():
        with suppress(psutil.Error, IndexError, ValueError):
            words = outer.cmdline()
            if words[words.index("--hostname") + 1] == container:
                yield outer.children()[0].children()[0]


def _keeper(home: Path) -> psutil.Process:
    first = native._first(home)
    if first is None:
        raise RuntimeError(f"no services run in {home}")
    return first


# What can be done, by name. The name of a service: `kill -9` of its program.
FAULTS: dict[str, Callable[[Path], list[str]]] = {
    **{
        name: partial(kill, service=name)
        for name in ("worker", "mlflow", "postgres", "scheduler", "api-server", "redis")
    },
    "hung mlflow": hang_mlflow,
    "lost connections": cut_connections,
}

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

from ops.faults import clock, containers, full
from ops.native import __main__ as native

_HANGS = 45.0  # seconds: more than MLFLOW_HTTP_REQUEST_TIMEOUT, less than `ops.watched` bears
_CUT = """
export PGPASSWORD=$(cat /run/secrets/postgres_password)
psql --host=127.0.0.1 --username=gatelatch --dbname=postgres --quiet --tuples-only --command="
  select pg_terminate_backend(pid) from pg_stat_activity
  where usename in ('airflow', 'ledger', 'mlflow')"
"""


def kill(home: Path, service: str) -> list[str]:
    """Kill all containers of a service at once, as `docker kill` does."""
    send(home, service, signal.SIGKILL)
    return containers.names(home, service)


def hang(home: Path, service: str) -> list[str]:
    """Stop a server for ever: it takes connections, and answers none of them.

    Who watches it goes on: where a server hangs, other processes do not.
    """
    stopped = list(_servers(home, service))
    for process in stopped:
        _send(process, signal.SIGSTOP)
    return [f"{service} hangs, {len(stopped)} processes"]


def hang_for_a_while(home: Path, service: str) -> list[str]:
    """Stop a server, and let it go on before its watcher ends it."""
    stopped = list(_servers(home, service))
    for process in stopped:
        _send(process, signal.SIGSTOP)

    def go_on() -> None:
        for process in stopped:
            _send(process, signal.SIGCONT)

    later = threading.Timer(_HANGS, go_on)
    later.daemon = True
    later.start()
    return [f"{service} hangs for {_HANGS:.0f} s"]


def cut_connections(home: Path) -> list[str]:
    """Have PostgreSQL end every connection of Airflow, MLflow and the ledger."""
    command = native.beside(home, "postgres", ["sh", "-euc", _CUT])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [f"{done.stdout.count('t')} connections"]


def send(home: Path, service: str, number: signal.Signals) -> None:
    """Send a signal to every process of a service, to the program before what it started."""
    for name in containers.names(home, service):
        for program in containers.programs(home, name):
            for process in [program, *_below(program)]:
                _send(process, number)


def _servers(home: Path, service: str) -> Iterator[psutil.Process]:
    """Yield what the watcher of a service started."""
    for name in containers.names(home, service):
        for program in containers.programs(home, name):
            yield from _below(program)


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:  # it ended meanwhile
        return []


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


# What can be done, by name. The name of a service: `kill -9` of its processes.
FAULTS: dict[str, Callable[[Path], list[str]]] = {
    **{
        name: partial(kill, service=name)
        for name in ("worker", "mlflow", "postgres", "scheduler", "api-server", "redis")
    },
    "mlflow-slow": partial(hang_for_a_while, service="mlflow"),
    "mlflow-hangs": partial(hang, service="mlflow"),
    "api-server-hangs": partial(hang, service="api-server"),
    "lost-connections": cut_connections,
    **{f"{name}-full": partial(full.fill, volume=name) for name in full.SMALL},
    **clock.JUMPS,
}

"""What is done to a service: its processes are killed or stopped, as the machine would."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from ops.native import __main__ as native

SERVICES = ("worker", "scheduler", "api-server", "mlflow", "postgres", "redis")


def kill(home: Path, service: str) -> list[str]:
    """Kill all containers of a service at once, as `kill -9` of its program does."""
    names = containers(home, service)
    programs = [program for name in names for program in programs(home, name)]
    for program in programs:
        _send(program, signal.SIGKILL)
    return names


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

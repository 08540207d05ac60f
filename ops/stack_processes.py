"""The processes of a stack: remembered, found again after a crash, ended, measured."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil


def private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


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


def remember(home: Path, pids: dict[str, int]) -> None:
    started = {n: (pid, psutil.Process(pid).create_time()) for n, pid in pids.items()}
    with open(home / "processes.json", "w", opener=private) as file:
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

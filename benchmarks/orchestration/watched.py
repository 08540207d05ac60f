"""What the process of a task spends its time on.

Installed in whatever forks these processes. Each writes, at its end, a line of JSON into the folder
ORCHESTRATION_SPENT. Time is exclusive: what a part spends in another part counts there alone. What
a process imports before it is watched changes nothing; what it imports later is watched from then.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

IMPORTS = "imports"
SUPERVISOR = "supervisor"
_RUNNER = "airflow.sdk.execution_time.task_runner"
_SUPERVISOR = "airflow.sdk.execution_time.supervisor"

_SENT = "Airflow's API: "

# Module, name in it (`Class.*`: each public method), and the part that it belongs to.
_PARTS = (
    (_RUNNER, "parse", "parse the DAG file"),
    (_RUNNER, "RuntimeTaskInstance.get_template_context", "context and plugins"),
    (_RUNNER, "run", "Airflow around the step"),
    (_RUNNER, "finalize", "finalize"),
    (_RUNNER, "_execute_task", "the step itself"),
    ("airflow.sdk.execution_time.comms", "CommsDecoder.send", _SENT),
    ("mlflow.tracking.client", "MlflowClient.*", "MLflow: calls"),
    ("mlflow.artifacts", "download_artifacts", "MLflow: fetch files"),
    ("tasks.registry.tracking", "connect", "MLflow: connect"),
    ("tasks.registry.registry", "load_version", "model: verify and load"),
    ("tasks.audit.verification", "require", "ledger: verify"),
    ("tasks.ledger.kept_fold", "read_newest", "ledger: fold"),
    ("tasks.ledger.ledger", "Ledger.*", "ledger: read, append"),
    ("tasks.ledger.reader", "LedgerReader.*", "ledger: read, append"),
    ("tasks.store", "*", "store"),
)


class Spent:
    """Exclusive seconds, CPU seconds and calls of each part of this process since `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self.imported: dict[str, float] = {}
        self.named: dict[str, str] = {}
        self._inside: list[list[float]] = []  # of each open part: seconds of the parts in it
        self._open: list[str] = []

    @contextmanager
    def part(self, name: str) -> Any:
        # What calls itself, or is called by its like, is one call.
        outer = not self._open or self._open[-1] != name
        inside = [0.0, 0.0]
        self._inside.append(inside)
        self._open.append(name)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            took = time.perf_counter() - wall, time.process_time() - cpu
            self._inside.pop()
            self._open.pop()
            entry = self.parts.setdefault(name, [0.0, 0.0, 0])
            for k in (0, 1):
                entry[k] += took[k] - inside[k]
                if self._inside:
                    self._inside[-1][k] += took[k]
            entry[2] += outer

    @property
    def importing(self) -> bool:
        return IMPORTS in self._open


spent = Spent()


def install() -> None:
    """Watch what is loaded, and whatever is loaded later."""
    bootstrap: Any = sys.modules["_frozen_importlib"]
    load = bootstrap._find_and_load

    def watched_load(name: str, import_: Any) -> Any:
        if spent.importing:
            return load(name, import_)
        began = time.perf_counter()
        with spent.part(IMPORTS):
            module = load(name, import_)
        spent.imported[name] = time.perf_counter() - began
        _watch_loaded()
        return module

    importlib.import_module(_SUPERVISOR)
    supervisor: Any = sys.modules[_SUPERVISOR]
    supervisor._fork_main = _child(supervisor._fork_main)
    supervisor.supervise_task = _parent(supervisor.supervise_task)
    _watch_loaded()
    bootstrap._find_and_load = watched_load


_watched: set[tuple[str, str]] = set()


def _watch_loaded() -> None:
    for module, name, part in _PARTS:
        there = sys.modules.get(module)
        if there is None or (module, name) in _watched or _half(there):
            continue
        _watched.add((module, name))
        *path, last = name.split(".")
        owner = functools.reduce(getattr, path, there)
        for one in _public(owner) if last == "*" else [last]:
            setattr(owner, one, _within(part, getattr(owner, one)))
        if module == _RUNNER and name == "parse":
            there.startup = _named(there.startup)  # type: ignore[attr-defined]
            there.main = _told(there.main)  # type: ignore[attr-defined]


def _half(module: Any) -> bool:
    """Return whether a module is still being loaded."""
    return bool(getattr(module.__spec__, "_initializing", False))


def _public(owner: Any) -> list[str]:
    """Return the names of plain functions; a generator's time is that of who runs it."""
    mine = owner.__name__ if inspect.ismodule(owner) else None
    return [
        name
        for name, found in vars(owner).items()
        if not name.startswith("_")
        and inspect.isfunction(found)
        and not inspect.isgeneratorfunction(inspect.unwrap(found))
        and (mine is None or found.__module__ == mine)
    ]


def _within(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        asked = type(named.get("msg", args[-1])).__name__ if part == _SENT else ""
        with spent.part(f"{part}{asked}"):
            return function(*args, **named)

    return run


def _child(fork_main: Callable[..., Any]) -> Callable[..., Any]:
    """Begin anew in a process that was just forked."""

    def run(*args: Any, **named: Any) -> Any:
        spent.begin()
        spent.began = time.perf_counter()  # type: ignore[attr-defined]
        return fork_main(*args, **named)

    return run


def _named(startup: Callable[..., Any]) -> Callable[..., Any]:
    def run(msg: Any) -> Any:
        spent.named = {"dag": msg.ti.dag_id, "task": msg.ti.task_id, "run": msg.ti.run_id}
        return startup(msg=msg)

    return run


def _told(main: Callable[..., Any]) -> Callable[..., Any]:
    """Write what the process of a task spent, at its end."""

    def run() -> Any:
        try:
            with spent.part("start up"):
                return main()
        finally:
            _write(
                {
                    **spent.named,
                    "seconds": time.perf_counter() - spent.began,  # type: ignore[attr-defined]
                    "cpu": time.process_time(),
                    "parts": spent.parts,
                    "imported": spent.imported,
                }
            )

    return run


def _parent(supervise: Callable[..., Any]) -> Callable[..., Any]:
    """Write what the process that watches a task spent on it."""

    def run(**named: Any) -> Any:
        began, cpu = time.perf_counter(), time.process_time()
        try:
            return supervise(**named)
        finally:
            ti = named["ti"]
            _write(
                {
                    "dag": ti.dag_id,
                    "task": ti.task_id,
                    "run": ti.run_id,
                    SUPERVISOR: True,
                    "seconds": time.perf_counter() - began,
                    "cpu": time.process_time() - cpu,
                }
            )

    return run


def _write(told: dict[str, Any]) -> None:
    with open(Path(os.environ["ORCHESTRATION_SPENT"]) / f"{os.getpid()}.jsonl", "a") as file:
        file.write(json.dumps(told) + "\n")

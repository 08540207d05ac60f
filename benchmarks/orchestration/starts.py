"""What `make up` costs beside Airflow alone: `python -m benchmarks.orchestration.starts [TURNS]`.

Airflow alone has the same settings, an empty folder of DAGs and no plugins. Either makes its tables
and starts its processes in a new folder, and has started when its health says so. In turns.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

import httpx
import psutil

from ops import stack, stack_processes, stack_settings

_PARTS = ("scheduler", "dag-processor", "api-server", "triggerer")
_SECONDS = 300
Took = tuple[float, float]  # seconds, and seconds of the processor


def main(turns: int) -> None:
    """Print the table."""
    took: dict[str, list[Took]] = {"Airflow alone": [], "make up": []}
    for _ in range(turns):
        for found, start in zip(took.values(), (_alone, _ours), strict=True):
            with tempfile.TemporaryDirectory() as made:
                found.append(start(Path(made) / "home"))
    print("| what starts | s | CPU s |")
    print("| --- | ---: | ---: |")
    for name, found in took.items():
        seconds, cpu = (median(one[k] for one in found) for k in (0, 1))
        print(f"| {name} | {seconds:.1f} | {cpu:.1f} |")


def _ours(home: Path) -> Took:
    settings = stack_settings.settings_of(home)
    try:
        return _measured(
            lambda: stack.start(home, settings), lambda: stack_processes.cpu_seconds(home)
        )
    finally:
        stack_processes.stop(home)


def _alone(home: Path) -> Took:
    settings = stack_settings.settings_of(home)
    (home / "empty").mkdir()
    env = stack_settings.environment(home, settings) | {
        "PYTHONPATH": "",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "empty"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "empty"),
    }
    commands = stack.commands(settings, home)
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        migrate = [str(stack_settings.BIN / "airflow"), "db", "migrate"]
        subprocess.run(migrate, env=env, stdout=log, stderr=log, check=True)
        for part in _PARTS:
            started.append(subprocess.Popen(commands[part], env=env, stdout=log, stderr=log))
        _wait(settings.airflow_url)

    with open(home / "log", "wb") as log:
        try:
            return _measured(start, lambda: stack_processes.cpu_of(_with_children(started)))
        finally:
            stack_processes.end(_with_children(started))


def _with_children(started: list[subprocess.Popen[bytes]]) -> list[psutil.Process]:
    parents = [psutil.Process(one.pid) for one in started]
    return [*parents, *(child for p in parents for child in p.children(recursive=True))]


def _wait(url: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            health = httpx.get(f"{url}/api/v2/monitor/health", timeout=5).json()
            if all(health[p]["status"] == "healthy" for p in ("scheduler", "dag_processor")):
                return
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(0.3)
    raise TimeoutError(f"Airflow alone was not healthy after {_SECONDS} s")


def _measured(start: Callable[[], object], running: Callable[[], float]) -> Took:
    """Return what a start takes; `running` says what the processes took that it left."""
    began, before = time.monotonic(), _ended()
    start()
    return time.monotonic() - began, running() + _ended() - before


def _ended() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)

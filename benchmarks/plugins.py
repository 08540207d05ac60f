"""What a task process pays for the plugins: `python -m benchmarks.plugins`.

Airflow's task runner loads every plugin before every task. The seconds are those of the processor
in a cold process that has imported the task runner already; the median of five.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

_ROOT = Path(__file__).parents[1]
_TURNS = 5
_MEASURED = """
import sys, time
import airflow.sdk.execution_time.task_runner
from airflow.sdk.plugins_manager import integrate_macros_plugins
before, began = len(sys.modules), time.process_time()
integrate_macros_plugins()
print("COST", time.process_time() - began, len(sys.modules) - before)
"""


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as home:
        none = _cost(home, Path(home) / "none")
        ours = _cost(home, _ROOT / "plugins")
    print("| plugins | CPU seconds | modules |")
    print("| --- | ---: | ---: |")
    print(f"| none | {none[0]:.3f} | {none[1]} |")
    print(f"| those of Gatelatch | {ours[0]:.3f} | {ours[1]} |")


def _cost(home: str, folder: Path) -> tuple[float, int]:
    """Return the median seconds of loading the plugins of a folder, and how many modules came."""
    settings = {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(_ROOT),
    }
    turns = []
    for _ in range(_TURNS):
        ran = subprocess.run(
            [sys.executable, "-c", _MEASURED],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=True,
        )
        (line,) = [line for line in ran.stdout.splitlines() if line.startswith("COST ")]
        _, seconds, modules = line.split()
        turns.append((float(seconds), int(modules)))
    return median(seconds for seconds, _ in turns), turns[0][1]


if __name__ == "__main__":
    main()

"""What it costs to know where a model stands: `make bench-ledger`.

Each step runs in a process of its own, after its imports, as in a task of Airflow. The steps take
turns, seven times, and the medians are told; the ratio is that of the medians of CPU seconds, which
other work on the machine changes least.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
TURNS = 7
WINDOWS = 730
MODELS = 10
STEPS = {
    "rows": "rows without figures, by the driver alone",
    "figures": "rows with figures, taken apart",
    "read": "where the model stands, in a cold process",
}


def main() -> None:
    """Print the table."""
    print("| windows | what is read | CPU ms | wall ms | times the rows |")
    print("| ---: | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        _run("fill", folder)
        turns = [{step: _run(step, folder) for step in STEPS} for _ in range(TURNS)]
    bound = median(turn["rows"]["cpu"] for turn in turns)
    for step, told in STEPS.items():
        cpu, wall = (median(turn[step][k] for turn in turns) for k in ("cpu", "seconds"))
        print(f"| {WINDOWS} | {told} | {1000 * cpu:.1f} | {1000 * wall:.1f} | {cpu / bound:.1f} |")


def _run(step: str, folder: str) -> dict[str, float]:
    print(step, file=sys.stderr, flush=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.ledger.steps", step, str(MODELS), str(WINDOWS)]
    done = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{step} failed with {done.returncode}; see above")
    told: dict[str, float] = json.loads(done.stdout or "{}")
    return told


if __name__ == "__main__":
    main()

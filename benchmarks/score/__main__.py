"""What scoring costs: `make bench-score`.

Rows a second of scoring a window, from Parquet to Parquet, beside plain pyarrow that reads the same
columns and writes as many. Each step runs in a process of its own, as in Airflow, with its imports
made beforehand and BLAS on one thread; they take turns, five times, and the medians are told.
A third step scores as in a canary: both versions, each its side of the keys. Two more do the same
with a SQL table, beside its driver alone: in the database that the environment variable SCORES
names, or in SQLite.
Afterwards, what `requirements-score.txt` costs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.score import environment

SIZES = (1_000_000, 10_000_000)
TURNS = 5
STEPS = {
    "both": "read and write alone",
    "score": "score",
    "canary": "score in a canary",
    "both_table": "read, and write a table alone",
    "score_table": "score into a table",
}
BOUNDS = {"score_table": "both_table", "both_table": "both_table"}  # what others are held against
ROOT = Path(__file__).resolve().parents[2]


def main(sizes: tuple[int, ...]) -> None:
    """Print both tables, a line as soon as it is known."""
    print(
        "| rows | step | seconds | CPU seconds | rows a second | of reading and writing | peak MB |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name:
        for rows in sizes:
            folder = Path(name, str(rows))
            folder.mkdir()
            _window(rows, folder)
        _run("fetched", 0, folder)
        print()
        settings = {
            "PYTHONPATH": str(ROOT),
            "GATELATCH_VERIFY_KEY": str(folder / "signing.pub"),
            "GATELATCH_LEDGER": "",
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        }
        for line in environment.table(folder / "champion", "large", settings):
            print(line, flush=True)


def _window(rows: int, folder: Path) -> None:
    for step in ("land", "bootstrap"):
        _run(step, rows, folder)
    turns = [{step: _run(step, rows, folder) for step in STEPS} for _ in range(TURNS)]
    for step, told_as in STEPS.items():
        bound = BOUNDS.get(step, "both")
        of_alone = median(turn[bound]["seconds"] / turn[step]["seconds"] for turn in turns)
        told = {name: median(turn[step][name] for turn in turns) for name in turns[0][step]}
        print(
            f"| {rows:,} | {told_as} | {told['seconds']:.2f} | {told['cpu']:.2f} | "
            f"{rows / told['seconds']:,.0f} | {of_alone:.2f} | {told['peak']:,.0f} |",
            flush=True,
        )


def _run(step: str, rows: int, folder: Path) -> dict[str, float]:
    print(f"{rows:,} rows: {step}", file=sys.stderr, flush=True)
    env = {
        "SCORES": "sqlite:///scores.db",
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "benchmarks.score.steps", step, str(rows)]
    done = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{step} of {rows:,} rows failed with {done.returncode}; see above")
    told: dict[str, float] = {}
    return json.loads(done.stdout.splitlines()[-1]) if step in STEPS else told


if __name__ == "__main__":
    main(tuple(int(n.replace(",", "").replace("_", "")) for n in sys.argv[1:]) or SIZES)

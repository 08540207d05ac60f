"""Rows per second and peak memory from Parquet to observation: `make bench-speed`.

Each step runs in a process of its own, as in Airflow, with its imports made beforehand and BLAS on
one thread; bound, digest and measure take turns, three times, and the medians are told. The bound
is what plain pyarrow and NumPy need to read the same columns and multiply them with a vector. The
files were just written, so they are in the page cache as far as memory allows.
Afterwards, the margins alone: ours and the peers'.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TypeAlias

from benchmarks.speed import peers

SIZES = (1_000_000, 10_000_000, 100_000_000)
PEERS_UP_TO = 10_000_000
TURNS = 3
ROOT = Path(__file__).resolve().parents[2]

Told: TypeAlias = dict[str, float]


def main(sizes: tuple[int, ...]) -> None:
    """Print both tables, a line as soon as it is known."""
    print("| rows | step | seconds | CPU seconds | rows a second | of the bound | peak MB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            _window(rows, folder)
    print("\n| margins | by | seconds | times ours |")
    print("| ---: | --- | ---: | ---: |")
    for rows in sizes:
        ours = 0.0
        for name, told in peers.run(rows, only_ours=rows > PEERS_UP_TO):
            ours = ours or float(told)
            said = f"{told:.3f} | {told / ours:.1f}" if isinstance(told, float) else f"{told} |"
            print(f"| {rows:,} | {name} | {said} |", flush=True)


def _window(rows: int, folder: str) -> None:
    for step in ("land", "bootstrap"):
        _run(step, rows, folder)
    validate = _run("validate", rows, folder)
    steps = ("bound", "digest", "measure")
    turns = [[_run(step, rows, folder) for step in steps] for _ in range(TURNS)]
    judge = _run("judge", rows, folder)
    bound, digest, measure = (_middle([turn[side] for turn in turns]) for side in range(3))
    whole = {name: validate[name] + measure[name] + judge[name] for name in ("seconds", "cpu")}
    whole["peak"] = max(validate["peak"], measure["peak"])
    # The verdict takes two summaries, whatever the rows behind them.
    observed = {**measure, "seconds": measure["seconds"] + judge["seconds"]}
    share = median(b["seconds"] / (m["seconds"] + judge["seconds"]) for b, _, m in turns)
    for step, told, of_bound in (
        ("bound", bound, 1.0),
        ("read and digest", digest, bound["seconds"] / digest["seconds"]),
        ("measure and judge", observed, share),
        ("validate", validate, bound["seconds"] / validate["seconds"]),
        ("all three", whole, bound["seconds"] / whole["seconds"]),
    ):
        print(
            f"| {rows:,} | {step} | {told['seconds']:.2f} | {told['cpu']:.2f} | "
            f"{rows / told['seconds']:,.0f} | {of_bound:.2f} | {told['peak']:,.0f} |",
            flush=True,
        )
    print(
        f"| {rows:,} | judge alone | {judge['seconds']:.4f} | {judge['cpu']:.4f} | | | |",
        flush=True,
    )


def _middle(turns: list[Told]) -> Told:
    return {name: median(turn[name] for turn in turns) for name in turns[0]}


def _run(step: str, rows: int, folder: str) -> Told:
    print(f"{rows:,} rows: {step}", file=sys.stderr, flush=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.speed.steps", step, str(rows)]
    done = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{step} of {rows:,} rows failed with {done.returncode}; see above")
    told: Told = {} if step in ("land", "bootstrap") else json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    main(tuple(int(n.replace(",", "").replace("_", "")) for n in sys.argv[1:]) or SIZES)

"""Margins alone against as many of a reference, by us and by peers in environments of their own."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from benchmarks.detection.environments import REQUIREMENTS, Environment, prepare
from tasks.drift.distances import ks, psi, wasserstein
from tasks.drift.grid import Grid
from tasks.drift.summary import Distribution, summarise

PEERS = {
    "alibi_detect": "ks",
    "frouros": "ks",
    "nannyml": "univariate",
    "evidently": "prediction",
}


def run(rows: int, *, only_ours: bool) -> Iterator[tuple[str, float | str]]:
    """Yield who needed how many seconds, or why there is no figure; ours first.

    Timed from two files to the figures: a reference is taken in, then a window of as many margins.
    """
    with tempfile.TemporaryDirectory() as folder:
        small, reference, window = (
            _file(Path(folder, f"{seed}.npz"), seed, n) for seed, n in enumerate((1000, rows, rows))
        )
        _ours(small, small)
        yield "Gatelatch: KS, Wasserstein, PSI, moments", _ours(reference, window)
        if only_ours:
            return
        for name, environment in prepare(PEERS).items():
            label = f"{name}: {PEERS[name]}"
            if environment.problem:
                yield label, environment.problem
            else:
                yield label, _peer(environment, small, reference, window)


def _file(path: Path, seed: int, rows: int) -> Path:
    rng = np.random.default_rng(seed)
    label, features = np.full(rows, -1, dtype=np.int8), np.empty((rows, 0))
    np.savez(path, margins=rng.normal(size=rows), label=label, X=features)
    return path


def _ours(reference: Path, window: Path) -> float:
    begun = time.perf_counter()
    grid: Grid | None = None
    both: list[Distribution] = []
    for file in (reference, window):
        with np.load(file) as arrays:
            margins, label = arrays["margins"], arrays["label"]
        grid = grid or Grid.around(margins, margins[:0])
        both.append(summarise(grid, margins, label, ("0", "1"), {}).scores)
    assert grid is not None
    then, now = both
    ks(then, now), wasserstein(then, now, grid.scores), psi(then, now)
    return time.perf_counter() - begun


def _peer(environment: Environment, small: Path, reference: Path, window: Path) -> float | str:
    """Return the seconds after the peer's imports and a first small comparison."""
    serve = [str(environment.python), "-I", str(REQUIREMENTS / "serve.py")]
    with subprocess.Popen(
        [*serve, environment.name, PEERS[environment.name]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        streams = process.stdin, process.stdout
        answered = _ask(streams, small, small)
        begun = time.perf_counter()
        answered = answered and _ask(streams, reference, window)
        seconds = time.perf_counter() - begun
        process.stdin.close()
    return seconds if answered else f"ended with {process.returncode}"


def _ask(streams: tuple[IO[str], IO[str]], reference: Path, window: Path) -> bool:
    for do, file in (("reference", reference), ("window", window)):
        print(json.dumps({"do": do, "file": str(file)}), file=streams[0], flush=True)
        if not streams[1].readline():
            return False
    return True

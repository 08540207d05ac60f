"""What is timed, each in a process of its own: `python -m benchmarks.ledger.steps STEP ROWS…`.

They work on `ledger.db` in the current folder.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.ledger import made
from tasks.ledger import status
from tasks.ledger.ledger import Ledger

URL = "sqlite:///ledger.db"
LIGHT = (
    "id, version, window_start, window_end, revision, spec_digest, data_digest, verdict, reason, "
    "pressure"
)


def timed(work: Callable[[], Any]) -> None:
    """Run the work once, and print its seconds and this process's seconds of CPU."""
    begun, before = time.perf_counter(), time.process_time()
    work()
    cpu, seconds = time.process_time() - before, time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


def fill(models: int, windows: int) -> None:
    """Write the ledger."""
    made.fill(Ledger(URL), models, windows)


def rows(models: int, windows: int) -> None:
    """Read a model's rows without their figures, by the driver alone."""
    link = sqlite3.connect("ledger.db")
    query = f"select {LIGHT} from observations where model = ? order by id"
    timed(lambda: link.execute(query, [made.name(models // 2)]).fetchall())


def figures(models: int, windows: int) -> None:
    """Read a model's rows with their figures, as JSON that is taken apart."""
    link = sqlite3.connect("ledger.db")
    query = f"select {LIGHT}, figures from observations where model = ? order by id"
    wanted = [made.name(models // 2)]
    timed(lambda: [json.loads(row[-1]) for row in link.execute(query, wanted)])


def read(models: int, windows: int) -> None:
    """Read and fold a model, as the first thing that a task does: nothing is warm."""
    ledger, model = Ledger(URL), made.spec(made.name(models // 2))
    timed(lambda: status.read(model, ledger))


STEPS = {step.__name__: step for step in (fill, rows, figures, read)}

if __name__ == "__main__":
    STEPS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))

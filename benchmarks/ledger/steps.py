"""What is timed, each in a process of its own: `python -m benchmarks.ledger.steps STEP ROWS…`.

They work on `ledger.db` in the current folder.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
from typing import Any

from benchmarks.ledger import looks, made, years
from benchmarks.ledger.timing import URL, Told, timed, use_folder
from tasks.ledger import status
from tasks.ledger.ledger import Ledger

LIGHT = (
    "id, version, window_start, window_end, revision, spec_digest, data_digest, verdict, reason, "
    "pressure"
)


def fill(models: int, windows: int) -> None:
    """Write the ledger."""
    made.fill(Ledger(URL), models, windows)


def rows(models: int, windows: int) -> Told:
    """Read a model's rows without their figures, by the driver alone."""
    link = sqlite3.connect("ledger.db")
    query = f"select {LIGHT} from observations where model = ? order by id"
    return timed(lambda: link.execute(query, [made.name(models // 2)]).fetchall())


def figures(models: int, windows: int) -> Told:
    """Read a model's rows with their figures, as JSON that is taken apart."""
    link = sqlite3.connect("ledger.db")
    query = f"select {LIGHT}, figures from observations where model = ? order by id"
    wanted = [made.name(models // 2)]
    return timed(lambda: [json.loads(row[-1]) for row in link.execute(query, wanted)])


def read(models: int, windows: int) -> Told:
    """Read and fold a model, as the first thing that a task does: nothing is warm."""
    ledger, model = Ledger(URL), made.spec(made.name(models // 2))
    return timed(lambda: status.read(model, ledger))


def scrape(models: int, windows: int) -> dict[str, Told]:
    """Scrape all models: with nothing warm, with nothing new, and after one window came.

    Beside them, what the client library alone takes to write as many series.
    """
    from prometheus_client.openmetrics.exposition import generate_latest

    from tasks.views.exposition import Exposition

    use_folder(models)
    ledger, exposition = Ledger(URL), Exposition()

    def page() -> None:
        exposition.page("application/openmetrics-text; version=1.0.0")

    told = {"cold": timed(page)}
    told["warm"] = min((timed(page) for _ in range(5)), key=lambda one: one["cpu"])
    made.more(ledger, made.name(models // 2), windows)
    told["new"] = timed(page)
    families = list(exposition.metrics.collect())
    told["library"] = timed(lambda: generate_latest(_Written(families)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told["of"] = {"series": sum(len(f.samples) for f in families), "peak": peak}
    return told


class _Written:
    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        return self._families


STEPS = {step.__name__: step for step in (fill, rows, figures, read, scrape)}
STEPS |= {"fill_years": years.fill_years, **looks.LOOKS}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))))

"""What the margin view costs on many models: `python -m benchmarks.views [MODELS] [WINDOWS]`.

Seconds are of the processor, of which a busy machine takes nothing away. Each stands beside what
it takes to read the rows that the page is made of, so that the ratio says how much is the page's
own, on whatever machine. `first` is the first
request of a process, which has read nothing yet; `again` any later one while the ledger is as it
was. Sizes are those of gzip, as Airflow sends pages.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import TypeVar

from benchmarks.views import fleet
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.reports.report_page import Verified, covered, review_html
from tasks.reports.report_period import period_of
from tasks.views.board import Board
from tasks.views.model_page import SHOWN_WINDOWS, WINDOW_CHOICES, model_page
from tasks.views.overview import Asked, overview

_Found = TypeVar("_Found")
_TURNS = 5
_ONE = 3  # the number of the model whose pages are measured …
_LONG = 10_000  # … once more with so many windows
_ALL = max(WINDOW_CHOICES)


def main(models: int, windows: int, keep: str | None = None) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as made:
        fleet_of = Path(keep or made)
        ledger = _ledger(fleet_of / "fleet", range(models), windows)
        print("| page | CPU seconds | rows read in | ratio | KiB | KiB compressed |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        _overview(ledger, windows)
        _one(ledger, windows, (SHOWN_WINDOWS, _ALL))
        _report(ledger, windows)
        ledger._engine.dispose()
        ledger = _ledger(fleet_of / "long", [_ONE], _LONG)
        _one(ledger, _LONG, (SHOWN_WINDOWS, _ALL))
        ledger._engine.dispose()


def _ledger(folder: Path, models: Sequence[int], windows: int) -> Ledger:
    """Return a ledger of so many windows of each model; it is written unless it was kept."""
    os.environ["GATELATCH_MODELS"] = str(folder / "models")
    if not (folder / "ledger.db").exists():
        told = f"writing {len(models)} models of {windows} windows …"
        print(told, file=sys.stderr, flush=True)
        fleet.write(folder, models, windows)._engine.dispose()
    return Ledger(f"sqlite:///{folder / 'ledger.db'}")


def _overview(ledger: Ledger, windows: int) -> None:
    board = Board(lambda: ledger)
    now = fleet.START + windows * fleet.DAY + timedelta(hours=3)

    def page(seconds: float) -> str:
        seen = board.standings(board.specs().usable.values(), seconds)
        return overview(seen.standings, Asked(), now, base="/gatelatch", unread=seen.unread)

    specs = list(board.specs().usable.values())
    read, _ = _timed(lambda: [ledger.observations(spec.model) for spec in specs[:5]])
    read *= len(specs) / 5
    first, html = _timed(lambda: page(0.5))
    _print(f"all {len(specs)} models, first request, of at most 0.5 s reading", first, read, html)
    all_of_it, html = _timed(lambda: page(float("inf")))
    _print("all models, everything read", first + all_of_it, read, html)
    again = [_timed(lambda: page(0.5)) for _ in range(_TURNS)]
    _print("all models, again", median(took for took, _ in again), read, again[0][1])


def _one(ledger: Ledger, windows: int, shown: Sequence[int]) -> None:
    """Print what the page of one model costs, with so many windows shown at the most."""
    spec = Board(lambda: ledger).specs().usable[f"model_{_ONE:03}"]
    now = fleet.START + windows * fleet.DAY
    reads = [_timed(lambda: ledger.history(spec.model))[0] for _ in range(_TURNS)]
    folds = [_timed(lambda: status.read(spec, ledger))[0] for _ in range(_TURNS)]

    def page(board: Board, most: int) -> str:
        known = board.status(spec)
        stands, times = board.standing_of(known), board.recorded(known)
        return model_page(known, stands, now, base="/gatelatch", times=times, most=most)

    read = median(reads)
    fold = median(folds)
    print(f"| (its status, as tasks read it) | {fold:.3f} | {read:.3f} | {fold / read:.2f} | | |")
    for most in shown:
        boards = [Board(lambda: ledger) for _ in range(_TURNS)]
        first = [_timed(partial(page, board, most)) for board in boards]
        again = [_timed(partial(page, boards[0], most)) for _ in range(_TURNS)]
        told = f"{windows:,} windows, {min(most, windows):,} shown"
        for name, took in (("first", first), ("again", again)):
            _print(f"one model of {told}, {name}", median(t for t, _ in took), read, took[0][1])


def _report(ledger: Ledger, windows: int) -> None:
    """Print what a report on all windows costs, without verification and model cards."""
    spec = Board(lambda: ledger).specs().usable[f"model_{_ONE:03}"]
    now = fleet.START + windows * fleet.DAY
    read = median(_timed(lambda: ledger.history(spec.model))[0] for _ in range(_TURNS))

    def page() -> str:
        rows, trail = ledger.rows_and_trail(spec.model)
        known = status.folded(spec, rows)
        about = covered(known, trail, period_of(known, fleet.START, None))
        return review_html(about, Verified(problem="not looked at"), {}, now)

    took = [_timed(page) for _ in range(_TURNS)]
    _print(f"report on one model, {windows} windows", median(t for t, _ in took), read, took[0][1])


def _timed(work: Callable[[], _Found]) -> tuple[float, _Found]:
    began = process_time()
    found = work()
    return process_time() - began, found


def _print(name: str, seconds: float, read: float, html: str) -> None:
    raw = html.encode()
    sizes = f"{len(raw) / 1024:,.0f} | {len(gzip.compress(raw, 5)) / 1024:,.0f}"
    print(f"| {name} | {seconds:.3f} | {read:.3f} | {seconds / read:.2f} | {sizes} |", flush=True)


if __name__ == "__main__":
    numbers = [int(n) for n in sys.argv[1:3]]
    models, windows = numbers + [300, 730][len(numbers) :]
    main(models, windows, *sys.argv[3:4])

"""What it costs to know where a model stands, and to scrape all of them: `make bench-ledger`.

Each step runs in a process of its own, after its imports, as in a task of Airflow. The steps take
turns, seven times, and the medians are told. The ratios are those of CPU seconds, which other work
on the machine changes least.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.postgresql import SERVER, databases

ROOT = Path(__file__).resolve().parents[2]
TURNS = 7
WINDOWS = 730
MODELS = 10
SCRAPED = 500  # models …
SCRAPED_WINDOWS = 90  # … of so many windows
STEPS = {
    "rows": "rows without figures, by the driver alone",
    "figures": "rows with figures, taken apart",
    "read": "where the model stands, in a cold process",
}
SCRAPES = {
    "library": "the client library alone, as many series",
    "cold": "first scrape",
    "warm": "scrape without a new window",
    "new": "scrape after one window came",
}


LOOKS = {
    "judge": "a run of the monitor: verify, append, fold, act",
    "tell": "`python -m tasks status`",
    "notices": "a look of `gatelatch.notices`, after one window came",
    "notices_of_all": "the same with all windows folded",
    "overview": "margin view, overview, after one window came",
    "page": "margin view, a model's page, after one window came",
    "scraped": "scrape of metrics, after one window came",
    "audited": "verify all rows",
}
LOOKED = 3  # times at each size
GROWN = (1, 365, 730, 1095)  # windows of a model


def main() -> None:
    """Print all tables, or `--growth [--postgresql] MODELS [WINDOWS…]` that of growth alone."""
    if sys.argv[1:2] == ["--growth"]:
        words = [word for word in sys.argv[2:] if word != "--postgresql"]
        models, *windows = map(int, words)
        _growth(models, windows or GROWN, postgresql=words != sys.argv[2:])
        return
    _reads()
    _scrapes()
    _growth(MODELS, GROWN)


def _growth(models: int, grown: Sequence[int], *, postgresql: bool = False) -> None:
    print(f"\n{models} models, each of so many daily windows; CPU ms of one look\n")
    print("| what is looked at |" + "".join(f" {n:,} |" for n in grown))
    print("| --- |" + " ---: |" * len(grown))
    told: dict[str, list[float]] = {}
    for windows in grown:
        with _ledger_of_years(postgresql), tempfile.TemporaryDirectory() as folder:
            _run("fill_years", folder, models, windows)
            for look in LOOKS:
                turns = [_run(look, folder, models, windows)["cpu"] for _ in range(LOOKED)]
                told.setdefault(look, []).append(1000 * median(turns))
    for look, words in LOOKS.items():
        print(f"| {words} |" + "".join(f" {cpu:,.0f} |" for cpu in told[look]))


@contextmanager
def _ledger_of_years(postgresql: bool) -> Iterator[None]:
    """Let the steps write to a new database of this machine's PostgreSQL; else to a file."""
    if not postgresql:
        yield
        return
    with databases("ledger", "years") as (name,):
        os.environ["LEDGER_OF_YEARS"] = f"postgresql+psycopg://{SERVER}/{name}"
        try:
            yield
        finally:
            del os.environ["LEDGER_OF_YEARS"]


def _reads() -> None:
    print("| windows | what is read | CPU ms | wall ms | times the rows |")
    print("| ---: | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        _run("fill", folder, MODELS, WINDOWS)
        turns = [
            {step: _run(step, folder, MODELS, WINDOWS) for step in STEPS} for _ in range(TURNS)
        ]
    bound = median(turn["rows"]["cpu"] for turn in turns)
    for step, told in STEPS.items():
        cpu, wall = (median(turn[step][k] for turn in turns) for k in ("cpu", "seconds"))
        print(f"| {WINDOWS} | {told} | {1000 * cpu:.1f} | {1000 * wall:.1f} | {cpu / bound:.1f} |")


def _turn(folder: str) -> dict[str, Any]:
    return {step: _run(step, folder, MODELS, WINDOWS) for step in STEPS}


def _scrapes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _run("fill", folder, SCRAPED, SCRAPED_WINDOWS)
        told = _run("scrape", folder, SCRAPED, SCRAPED_WINDOWS)
    print(
        f"\n{SCRAPED} models × {SCRAPED_WINDOWS} windows, {told['of']['series']:,} series, peak "
        f"{told['of']['peak']:,.0f} MB\n\n"
        "| what is scraped | CPU ms | wall ms | times the library |\n| --- | ---: | ---: | ---: |"
    )
    bound = told["library"]["cpu"]
    for name, words in SCRAPES.items():
        cpu, wall = told[name]["cpu"], told[name]["seconds"]
        print(f"| {words} | {1000 * cpu:,.1f} | {1000 * wall:,.1f} | {cpu / bound:.2f} |")


def _run(step: str, folder: str, models: int, windows: int) -> Any:
    print(step, file=sys.stderr, flush=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.ledger.steps", step, str(models), str(windows)]
    done = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{step} failed with {done.returncode}; see above")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()

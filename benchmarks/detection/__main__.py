"""False alarms, delays, what retraining on a signal brings, unseen streams: `make bench-detection`.

`--write` puts the tables of a full run into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.detection import budget, delays, environments, retrains, tables
from benchmarks.detection.detectors import PEERS, PeerName
from benchmarks.detection.retrains import Outcome
from benchmarks.detection.scenarios import scenario
from benchmarks.detection.study import study_of
from benchmarks.detection.tables import Sheet
from benchmarks.detection.unseen import measure, picture
from benchmarks.detection.unseen import tables as unseen_tables
from benchmarks.detection.unseen.measure import Asked
from benchmarks.detection.unseen.streams import STREAMS
from benchmarks.detection.unseen.tables import Board

DOC = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- python -m benchmarks.detection -->", "<!-- end -->"

DRIFTING = {
    "electricity": "Electricity, weekly windows",
    "email": "Mails, windows of 250",
    "abrupt": "Made: abruptly an offset of the features, later another rule as well",
    "slow": "Made: a rule that turns by 3° a week",
}
CONTROLS = {"employment": "employment", "shuffled 1": "electricity, shuffled"}
SHUFFLES = 5


@dataclass(frozen=True)
class Size:
    """How much is run."""

    years: dict[int, int]
    shuffles: int
    ours: int  # trials of the delays
    peers: int
    names: tuple[PeerName, ...]
    drifting: dict[str, str]
    controls: dict[str, str]


FULL = Size(budget.YEARS, SHUFFLES, 20, 5, PEERS, DRIFTING, CONTROLS)
QUICK = Size(
    budget.QUICK_YEARS,
    1,
    3,
    1,
    tuple(name for name in PEERS if name.peer in ("frouros", "river")),
    {"slow": DRIFTING["slow"]},
    {"shuffled 1": CONTROLS["shuffled 1"]},
)


class Run:
    """The parts of a run, the progress that people see, and the figures for --json."""

    def __init__(self, size: Size, asked: Asked, jobs: int, progress: Progress) -> None:
        self.size, self.asked, self.jobs, self.progress = size, asked, jobs, progress
        self.figures: dict[str, list[dict[str, Any]]] = {}
        self.board: Board | None = None

    def false_alarms(self) -> list[Sheet]:
        size = self.size
        streams = budget.measure(
            size.years, self.jobs, self._bar("streams", sum(size.years.values()) * len(budget.RHOS))
        )
        names = {"electricity, shuffled": [f"shuffled {i + 1}" for i in range(size.shuffles)]}
        if "employment" in size.controls:
            names["employment"] = ["employment"]
        real = budget.controls(
            names, self.jobs, self._bar("controls", sum(len(part) for part in names.values()))
        )
        found = streams + real
        self._keep("false_alarms", found)
        return [tables.false_alarms(found)]

    def delays(self) -> list[Sheet]:
        size = self.size
        advance = self._bar("delays", size.ours + size.peers * len(size.names))
        found = delays.measure(size.ours, size.peers, list(size.names), self.jobs, advance)
        self._keep("delays", found)
        trials = [delays.trial(seed) for seed in range(size.peers)]
        return [tables.shifts(trials), tables.delays(found)]

    def retrains(self) -> list[Sheet]:
        found = {name: self._scenario(name) for name in (*self.size.drifting, *self.size.controls)}
        self._keep("retrains", [one for part in found.values() for one in part])
        sheets = [tables.retrains(found[n], title) for n, title in self.size.drifting.items()]
        steady = [one for name in self.size.controls for one in found[name]]
        return [*sheets, tables.controls(steady, self.size.controls)]

    def unseen(self) -> list[Sheet]:
        advance = self._bar("unseen streams", len(self.asked.streams))
        found = measure.measure(self.asked, self.jobs, advance)
        self._keep("unseen", found)
        self.board = Board(found)
        return unseen_tables.sheets(self.board)

    def _scenario(self, name: str) -> list[Outcome]:
        names = list(self.size.names)
        windows = len(scenario(name).history.windows) - scenario(name).first
        study = study_of(name, self.jobs, self._bar(f"{name}: candidates", windows))
        advance = self._bar(f"{name}: detectors", windows * len(names))
        with ProcessPoolExecutor(1) as pool:
            ours = pool.submit(retrains.gatelatch, name)
            others = retrains.of_peers(study, names, self.jobs, advance)
            return [*retrains.fixed(study), ours.result(), *others]

    def _bar(self, what: str, total: int) -> Callable[[], None]:
        task = self.progress.add_task(what, total=total)
        return lambda: self.progress.advance(task)

    def _keep(self, part: str, found: Any) -> None:
        self.figures[part] = [asdict(one) for one in found]


PARTS = {
    "false-alarms": Run.false_alarms,
    "delays": Run.delays,
    "retrains": Run.retrains,
    "unseen": Run.unseen,
}


def main() -> None:
    """Run the parts, print their tables, and write what was asked for."""
    arguments = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # several processes share the cores already
    begun = time.perf_counter()
    said = Console(stderr=True, highlight=False)
    peers = [("river",), environments.NAMES][bool({"delays", "retrains"} & set(arguments.only))]
    environments.prepare(peers, out=said)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=said) as progress:
        size = QUICK if arguments.quick else FULL
        run = Run(size, _asked(arguments), arguments.jobs, progress)
        sheets = {part: PARTS[part](run) for part in arguments.only}
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = 160
    for sheet in [sheet for part in sheets.values() for sheet in part]:
        out.print(sheet.rich())
    minutes = (time.perf_counter() - begun) / 60
    said.print(f"{minutes:.1f} minutes")
    if arguments.json:
        arguments.json.write_text(json.dumps(run.figures, indent=1, ensure_ascii=False) + "\n")
    if arguments.write:
        for part, some in sheets.items():
            drawn = [picture.write(run.board, DOC.parent)] if part == "unseen" and run.board else []
            write(DOC, part, [*drawn, *(sheet.markdown() for sheet in some)])


def write(doc: Path, part: str, texts: list[str]) -> None:
    """Replace what stands between a part's markers of the document."""
    begin = BEGIN.replace(" -->", f" --only {part} -->")
    before, found, rest = doc.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise SystemExit(f"{doc.name} has no {begin} … {END}; put them where the tables belong")
    body = "\n\n".join(texts)
    doc.write_text(f"{before}{begin}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def _asked(arguments: argparse.Namespace) -> Asked:
    slow = measure.SLOW if arguments.quick else ()
    return Asked(
        tuple(arguments.streams or (name for name in STREAMS if name not in slow)),
        arguments.seeds or (1 if arguments.quick else 3),
        tuple(arguments.policies or measure.POLICIES),
        arguments.against,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer streams, trials and detectors")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {DOC.name}")
    unseen = parser.add_argument_group("unseen streams")
    unseen.add_argument("--streams", nargs="+", choices=STREAMS, metavar="NAME", help="these alone")
    unseen.add_argument("--seeds", type=int, help="of each stream that is made (3; 1 if quick)")
    unseen.add_argument("--policies", nargs="+", choices=measure.POLICIES, help="these alone")
    unseen.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="take the other policies' from a --json of before",
    )
    arguments = parser.parse_args()
    arguments.only = arguments.only or list(PARTS)
    if arguments.quick and arguments.write:
        parser.error("--write needs a full run; leave out --quick")
    if arguments.write and not _asked(arguments).whole:
        parser.error("--write needs all streams and policies; leave out --streams and --policies")
    return arguments


if __name__ == "__main__":
    main()

"""What a run of the monitor costs beside three empty tasks: `python -m benchmarks.orchestration`.

Both run on one Airflow, in turns, so that the ratio says how much is ours,
however busy the machine is. Then comes what the processes of the tasks spend their time on.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.orchestration.executors import Executor
from benchmarks.orchestration.profile import profile
from benchmarks.orchestration.scene import EMPTY, MONITOR, Scene, Took

say = Console(stderr=True, highlight=False).print


def main(
    runs: Annotated[int, typer.Option(help="single runs of each")] = 8,
    at_once: Annotated[int, typer.Option(help="runs of each at once, twice; 0: none")] = 8,
    backfill: Annotated[int, typer.Option(help="windows to backfill; 0: none")] = 0,
    executor: Annotated[
        Executor,
        typer.Option(help="local: on SQLite; others: PostgreSQL and Redis on this machine"),
    ] = Executor.LOCAL,
    home: Annotated[Path, typer.Option(help="emptied first")] = Path(".run/orchestration"),
) -> None:
    """Print the ratios and the profile."""
    scene = Scene(home.resolve(), executor)
    say("starting Airflow, training a champion …")
    grown: dict[str, tuple[float, float]] = {}
    with scene.running():
        for warm in (EMPTY, MONITOR):
            scene.at_once(warm, [0])
        say("single runs, in turns …")
        day = 1
        single: dict[str, list[Took]] = {EMPTY: [], MONITOR: []}
        for _ in range(runs):
            for dag, took in single.items():
                took.append(scene.at_once(dag, [day]))
            day += 1
        single_told = scene.told()
        table = [_row("one run", single)]
        if at_once:
            say(f"{at_once} runs at once, in turns …")
            many: dict[str, list[Took]] = {EMPTY: [], MONITOR: []}
            for _ in range(2):
                for dag, took in many.items():
                    took.append(scene.at_once(dag, list(range(day, day + at_once))))
                day += at_once
            table.append(_row(f"{at_once} runs at once", many))
        if backfill:
            say(f"a backfill of {backfill} windows of each …")
            filled = {dag: [scene.backfilled(dag, day, backfill)] for dag in (EMPTY, MONITOR)}
            table.append(_row(f"backfill of {backfill}", filled))
            grown = {dag: scene.grown(dag) for dag in filled}
    print("| what runs | empty s | monitor s | ratio | empty CPU s | monitor CPU s | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    print("\n".join(table))
    print()
    for dag, (first, last) in grown.items():
        told = f"a run of the backfill's first tenth took {first:.3f} s of the processor"
        print(f"{dag}: {told}, one of its last {last:.3f} s")
    print(profile(single_told, {EMPTY, MONITOR}))


def _row(what: str, took: dict[str, list[Took]]) -> str:
    wall = [median(t.seconds for t in took[dag]) for dag in (EMPTY, MONITOR)]
    cpu = [median(t.cpu for t in took[dag]) for dag in (EMPTY, MONITOR)]
    cells = [f"{p[0]:.2f} | {p[1]:.2f} | {p[1] / p[0]:.2f}" for p in (wall, cpu)]
    return f"| {what} | {' | '.join(cells)} |"


if __name__ == "__main__":
    typer.run(main)

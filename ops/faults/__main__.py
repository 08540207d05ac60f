"""Faults in the middle of each stage, and where the flow then ends: docs/reliability.md.

`python -m ops.faults` prints the matrix, fault × stage → seconds until the next task begins. One
model lives undisturbed; what the others leave in ledger, MLflow and store is compared with it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops.faults import away, clock, faults
from ops.faults.catch import Catcher
from ops.faults.ends import differences, leftovers
from ops.faults.life import STAGES, Life, Stage
from ops.faults.matrix import completed, table
from ops.faults.record import Record
from ops.faults.team import up
from ops.faults.watch import Watch
from ops.faults.waves import Waves

out = Console(highlight=False, soft_wrap=True, markup=False)


def main(
    home: Annotated[Path, typer.Option(help="emptied first")] = Path(".run/faults"),
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"to inject: {', '.join([*faults.FAULTS, away.NAME])} [default: all]"),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(help=f"to disturb: {', '.join(s.task for s in STAGES)} [default: all]"),
    ] = None,
    kept: Annotated[Path, typer.Option(help="file of all cells")] = Path(".run/faults.json"),
) -> None:
    """Print the matrix."""
    asked = _of(fault, [*faults.FAULTS, away.NAME], "--fault")
    stages = [s for s in STAGES if s.task in _of(stage, [s.task for s in STAGES], "--stage")]
    begun = time.monotonic()

    def tell(said: str) -> None:
        spent = int(time.monotonic() - begun)
        out.print(f"{spent // 60:3d}:{spent % 60:02d}  {said}")

    home = home.resolve()
    shutil.rmtree(home, ignore_errors=True)
    jumps = [name for name in asked if name in clock.JUMPS]
    others = [name for name in asked if name not in clock.JUMPS]
    record, why = Record(kept), "it was not come to"
    left: list[str] = []
    try:
        if others:
            left += on_services(home / "services", others, stages, tell, record)
        if jumps and not clock.missing():
            left += on_services(home / "clock", jumps, stages, tell, record, clocks=True)
    except KeyboardInterrupt:
        why = "the command was stopped before"

    def reason(name: str) -> str:
        if name in clock.JUMPS and clock.missing():
            return clock.missing()
        done = any(cell.fault == name for cell in record.cells)
        return away.ELSEWHERE if name == away.NAME and done else why

    tell("over")
    out.print(table(completed(record.cells, asked, stages, reason)))
    out.print(f"\nHalf-written or temporary: {', '.join(left) or 'nothing'}")
    raise typer.Exit(int(any(cell.wrong for cell in record.cells)))


def on_services(
    home: Path,
    asked: list[str],
    stages: list[Stage],
    tell: Callable[[str], None],
    record: Record,
    *,
    clocks: bool = False,
) -> list[str]:
    """Record the cells of these faults, played on services that are started for them.

    Returns what was left half-written.
    """
    chosen = [name for name in asked if name != away.NAME]
    kind = "clock" if clocks else "life"
    models = [f"{kind}_{k}" for k in range(len(chosen) + 1)] if chosen else []
    late = dict.fromkeys(away.MODELS if away.NAME in asked else (), away.OWN)
    tell(f"services start, with {len(models) + len(late)} models")
    with up(home, {**{name: {} for name in models}, **late}, clocks=clocks) as team:
        tell("up, and each model has its first champion")
        watch, catcher = Watch(team.database), Catcher()
        waves = Waves(team, watch, tell, record)
        usual: dict[str, float] = {}
        lives = {name: Life(team, watch, catcher, name, usual) for name in [*models, *late]}
        if chosen:
            play(waves, [lives[name] for name in models], chosen, stages)
        if late:
            tell(f"{away.NAME}: a question runs out twice")
            record.add(away.play(waves, [lives[name] for name in late]))
        return leftovers(home)


def play(waves: Waves, lives: list[Life], chosen: list[str], stages: list[Stage]) -> None:
    """Play the waves, and compare what each life left with what the undisturbed one left."""
    first, *others = lives
    first.usual.update(waves.undisturbed(first, stages))
    waves.tell("one life has passed undisturbed")
    waves.play(others, chosen, stages)
    wrong = differences(waves.team, [life.model for life in lives])
    for model, what in wrong.items():
        waves.tell(f"{model} left something else: {what}")
    waves.record.blame(wrong)


def _of(asked: list[str] | None, known: Iterable[str], option: str) -> list[str]:
    """Return what was asked for, or all of it. Raises BadParameter."""
    known = list(known)
    if strange := [name for name in asked or () if name not in known]:
        raise typer.BadParameter(
            f"{', '.join(strange)}: choose of {', '.join(known)}", None, None, option
        )
    return list(asked or known)


if __name__ == "__main__":
    typer.run(main)

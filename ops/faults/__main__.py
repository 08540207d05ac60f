"""Faults in the middle of each stage, and where the flow then ends: docs/reliability.md.

`python -m ops.faults` prints the matrix, fault × stage → seconds until the next task begins. One
model lives undisturbed; what the others leave in ledger, MLflow and store is compared with it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from ops.faults import away, faults
from ops.faults.ends import differences, leftovers
from ops.faults.life import STAGES, Life, Stage
from ops.faults.matrix import Cell, table
from ops.faults.team import Team, up

_POLL = 0.4
_PATIENCE = 420.0  # seconds for one stage, after which the cell says "no"

# The stages of one wave lie in different models, so that one fault meets all of them.
_PARTS = (STAGES[:4], STAGES[4:7], STAGES[7:11], STAGES[11:])
_WAVES = max(len(part) for part in _PARTS)

out = Console(highlight=False, soft_wrap=True)


def main(
    home: Annotated[Path, typer.Option(help="emptied first")] = Path(".run/faults"),
    fault: Annotated[list[str] | None, typer.Option(help="to inject; all if not given")] = None,
    kept: Annotated[Path, typer.Option(help="file of all cells")] = Path(".run/faults.json"),
) -> None:
    """Print the matrix."""
    home = home.resolve()
    shutil.rmtree(home, ignore_errors=True)
    asked = fault or [*faults.FAULTS, away.NAME]
    chosen = [name for name in asked if name != away.NAME]
    models = [f"life_{k}" for k in range(len(chosen) + len(_PARTS))] if chosen else []
    late = dict.fromkeys(away.MODELS if away.NAME in asked else (), away.OWN)
    with up(home, {**{name: {} for name in models}, **late}) as team:
        cells = play(team, models, chosen, kept) if chosen else []
        if late:
            cells.append(away.play(team))
    out.print(table(cells))
    raise typer.Exit(int(any(cell.wrong for cell in cells)))


def play(team: Team, models: list[str], chosen: list[str], kept: Path) -> list[Cell]:
    """Return the cells of the chosen faults and all stages.

    The first model lives undisturbed. In each round four models are in another part of their life
    each, and with the next round they go on to their next part. The fault changes with each stage,
    so that after all rounds each fault has met each stage.
    """
    usual: dict[str, float] = {}
    first, *lives = (Life(team, name, usual) for name in models)
    ahead = {first.model: list(STAGES)}
    for number, life in enumerate(lives[: len(_PARTS) - 1]):
        parts = _PARTS[: len(_PARTS) - 1 - number]
        ahead[life.model] = [stage for part in parts for stage in part]
    _prepare([first, *lives[: len(_PARTS) - 1]], ahead)
    usual |= {stage.task: first.seconds(stage) for stage in STAGES}
    cells = [Cell("none", stage.task, usual[stage.task]) for stage in STAGES]
    out.print(table(cells))
    for number in range(len(chosen)):
        # The newest life is in its first part, the oldest in its last.
        at_work = [lives[number + len(_PARTS) - 1 - k] for k in range(len(_PARTS))]
        for wave in range(_WAVES):
            fault = chosen[(number + wave) % len(chosen)]
            pairs = [
                (life, part[wave])
                for life, part in zip(at_work, _PARTS, strict=True)
                if wave < len(part)
            ]
            cells += disturb(team, fault, pairs)
            keep(cells, kept)
    for life in lives:
        life.go_on()
    _until(lives, lambda life: all(life.ended(stage) for stage in STAGES))
    wrong = differences(team, models)
    for line in [*wrong.items(), *leftovers(team.home)]:
        out.print(str(line), markup=False)
    for cell in cells:
        cell.wrong = cell.wrong or wrong.get(cell.model, "")
    keep(cells, kept)
    return cells


def keep(cells: list[Cell], file: Path) -> None:
    """Write all cells to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(cell) for cell in cells], indent=1))


def _prepare(lives: list[Life], ahead: dict[str, list[Stage]]) -> None:
    """Bring lives undisturbed through the stages that are ahead of each."""

    def there(life: Life) -> bool:
        todo = ahead[life.model]
        while life.ended(todo[0]) is not None:
            if len(todo) == 1:
                return _holds_next(life, todo[0])
            todo.pop(0)
        return False

    for life, why in _until(lives, there, 4 * _PATIENCE):
        raise RuntimeError(f"{life.model}, which nothing disturbed: {why}")


def _holds_next(life: Life, stage: Stage) -> bool:
    """Hold the stage that comes by itself after this one; return whether it is held."""
    at = STAGES.index(stage) + 1
    if at == len(STAGES) or STAGES[at].flow != stage.flow:
        return True
    return life.holds() or life.reached(STAGES[at])


def disturb(team: Team, fault: str, pairs: list[tuple[Life, Stage]]) -> list[Cell]:
    """Inject a fault while each life is in the middle of its stage; return what came of it."""
    stage_of = {life.model: stage for life, stage in pairs}
    lives = [life for life, _ in pairs]
    _until(lives, lambda life: life.holds() or life.reached(stage_of[life.model]))
    caught = {
        life.model: life.holds() or life.waiting == stage_of[life.model].task for life in lives
    }
    begun = datetime.now(UTC)
    names = faults.FAULTS[fault](team.home / "run")
    for life in lives:
        life.go_on()
    out.print(f"{begun:%H:%M:%S} {fault}: {', '.join(names)}")
    found: dict[str, Cell] = {}

    def over(life: Life) -> bool:
        stage = stage_of[life.model]
        if life.model not in found:
            later = life.went_on(stage)
            if later is None:
                return False
            cell = Cell(fault, stage.task, (later - begun).total_seconds(), life.model)
            cell.tries, cell.caught = life.tries(stage), caught[life.model]
            found[life.model] = cell
            out.print(f"  {stage.task:<17} {cell.seconds:6.1f} s, try {cell.tries} {cell.caught}")
        return _holds_next(life, stage)

    for life, why in _until(lives, over):
        stage = stage_of[life.model]
        if life.model not in found:
            found[life.model] = Cell(fault, stage.task, _PATIENCE, life.model, wrong=why)
        out.print(f"  {stage.task:<17} {why}")
    _until_up(team)
    return list(found.values())


def _until(
    lives: list[Life], done: Callable[[Life], object], patience: float = _PATIENCE
) -> list[tuple[Life, str]]:
    """Return once it is done of all lives: those of which it never was, and why."""
    left, deadline = list(lives), time.monotonic() + patience
    failed: list[tuple[Life, str]] = []
    while left and time.monotonic() < deadline:
        for life in list(left):
            try:
                if done(life):
                    left.remove(life)
            except httpx.HTTPError:
                continue  # the server restarts
            except RuntimeError as error:
                failed.append((life, str(error)))
                left.remove(life)
        time.sleep(_POLL)
    return [*failed, *((life, f"not after {patience:.0f} s") for life in left)]


def _until_up(team: Team) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if {one["state"] for one in team.states().values()} <= {"healthy", "running", "done"}:
            return
        time.sleep(_POLL)


if __name__ == "__main__":
    typer.run(main)

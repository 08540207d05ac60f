"""The cells, and how they are printed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ops.faults.life import STAGES

_OVER = "the task was over before the fault came; the seconds are those of what came next"


@dataclass
class Cell:
    """What became of one fault in one stage."""

    fault: str
    stage: str
    seconds: float
    model: str = ""
    tries: int = 1
    caught: bool = True
    wrong: str = ""  # where the flow ended elsewhere
    never: str = ""  # why the fault was not injected here

    @property
    def text(self) -> str:
        """Return what stands in the matrix."""
        if self.never:
            return "–"
        if self.wrong:
            return "**no**"
        return f"{self.seconds:.0f}" if self.caught else f"({self.seconds:.0f})"

    @property
    def why(self) -> str:
        """Return why it is no bare number."""
        return self.never or self.wrong or ("" if self.caught else _OVER)


def table(cells: list[Cell]) -> str:
    """Return the matrix as Markdown: a row for each stage, seconds in each cell, then reasons."""
    faults = list(dict.fromkeys(cell.fault for cell in cells))
    of = {(cell.fault, cell.stage): cell for cell in cells}
    played = [stage for stage in STAGES if any(stage.task == cell.stage for cell in cells)]
    lines = [
        f"| stage | {' | '.join(faults)} |",
        f"| --- |{' ---: |' * len(faults)}",
    ]
    for stage in played:
        row = [of[f, stage.task].text if (f, stage.task) in of else "" for f in faults]
        lines.append(f"| {stage} | {' | '.join(row)} |")
    return "\n".join([*lines, *_reasons(cells)])


def _reasons(cells: list[Cell]) -> Iterator[str]:
    """Yield why cells are no bare numbers, each reason once."""
    whose: dict[str, list[str]] = {}
    for cell in cells:
        if cell.why:
            whose.setdefault(cell.why, []).append(f"{cell.fault} at {cell.stage}")
    if whose:
        yield ""
    for why, where in whose.items():
        mark = "( )" if why == _OVER else "–, no"
        yield f"- {mark} {', '.join(where)}: {why}."

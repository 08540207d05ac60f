"""The cells, and how they are printed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from ops.faults.life import STAGES, Stage

_WIDE = 7  # faults that a page has room for
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


def completed(
    cells: list[Cell], faults: list[str], stages: list[Stage], why: Callable[[str], str]
) -> list[Cell]:
    """Return the cells with one for each fault and stage; those that were not played say why."""
    known = {(cell.fault, cell.stage) for cell in cells}
    absent = [(f, s.task) for f in faults for s in stages if (f, s.task) not in known]
    return [*cells, *(Cell(f, stage, 0, never=why(f)) for f, stage in absent)]


def table(cells: list[Cell]) -> str:
    """Return the matrix as Markdown: a row for each stage, seconds in each cell, then reasons.

    Of many faults it is several tables, each as wide as a page.
    """
    faults = list(dict.fromkeys(cell.fault for cell in cells))
    parts = [_part(cells, faults[at : at + _WIDE]) for at in range(0, len(faults), _WIDE)]
    return "\n".join(["\n\n".join(parts), *_reasons(cells)])


def _part(cells: list[Cell], faults: list[str]) -> str:
    of = {(cell.fault, cell.stage): cell for cell in cells}
    played = [stage for stage in STAGES if any(stage.task == cell.stage for cell in cells)]
    lines = [
        f"| stage | {' | '.join(faults)} |",
        f"| --- |{' ---: |' * len(faults)}",
    ]
    for stage in played:
        row = [of[f, stage.task].text if (f, stage.task) in of else "" for f in faults]
        lines.append(f"| {stage} | {' | '.join(row)} |")
    for name, pick in (("median", median), ("longest", max)):
        met = ([c.seconds for c in cells if c.fault == f and c.text.isdigit()] for f in faults)
        row = [f"{pick(seconds):.0f}" if seconds else "–" for seconds in met]
        lines.append(f"| *{name}* | {' | '.join(row)} |")
    return "\n".join(lines)


def _reasons(cells: list[Cell]) -> Iterator[str]:
    """Yield why cells are no bare numbers, each reason once."""
    whose: dict[str, dict[str, list[Cell]]] = {}
    for cell in cells:
        if cell.why:
            whose.setdefault(cell.why, {}).setdefault(cell.fault, []).append(cell)
    if whose:
        yield ""
    for why, where in whose.items():
        names = (f"{name} ({', '.join(c.stage for c in of)})" for name, of in where.items())
        yield f"- {'; '.join(names)}: {why}."

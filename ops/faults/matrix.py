"""The cells, and how they are printed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ops.faults.life import STAGES


@dataclass
class Cell:
    """What became of one fault in one stage."""

    fault: str
    stage: str
    seconds: float
    model: str = ""
    tries: int = 1
    caught: bool = True
    wrong: str = ""

    @property
    def text(self) -> str:
        if self.wrong:
            return "**no**"
        return f"{self.seconds:.0f}" if self.caught else "missed"


def table(cells: list[Cell]) -> str:
    """Return the matrix as Markdown: a row for each stage, seconds in each cell."""
    faults = list(dict.fromkeys(cell.fault for cell in cells))
    of = {(cell.fault, cell.stage): cell for cell in cells}
    lines = [
        f"| stage | {' | '.join(faults)} |",
        f"| --- |{' ---: |' * len(faults)}",
    ]
    for stage in STAGES:
        row = [of[f, stage.task].text if (f, stage.task) in of else "" for f in faults]
        lines.append(f"| {stage.flow}: {stage.task} | {' | '.join(row)} |")
    return "\n".join(lines)

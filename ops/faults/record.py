"""The cells that were gathered, kept in a file as they come."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from ops.faults.matrix import Cell


class Record:
    """All cells so far. One of each fault and stage: the first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.cells: list[Cell] = []

    def add(self, cell: Cell) -> None:
        """Take in a cell."""
        if all((one.fault, one.stage) != (cell.fault, cell.stage) for one in self.cells):
            self.cells.append(cell)
            self._keep()

    def blame(self, wrong: dict[str, str]) -> None:
        """Say of all cells of a life what is wrong with what it left."""
        for cell in self.cells:
            cell.wrong = cell.wrong or wrong.get(cell.model, "")
        self._keep()

    def _keep(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps([asdict(cell) for cell in self.cells], indent=1))

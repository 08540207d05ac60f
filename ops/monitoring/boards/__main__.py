"""`python -m ops.monitoring.boards`: say whether the JSON is what the code says, or write it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.monitoring.boards.board import Board
from ops.monitoring.boards.debug import DEBUG
from ops.monitoring.boards.executive import EXECUTIVE
from ops.monitoring.boards.grafana import board_json
from ops.monitoring.boards.on_call import ON_CALL

BOARDS = (EXECUTIVE, ON_CALL, DEBUG)
FOLDER = Path(__file__).parent


def file_of(board: Board) -> Path:
    """Return where the JSON of a board is committed."""
    return FOLDER / f"{board.uid.removeprefix('gatelatch-')}.json"


def main(
    write: Annotated[bool, typer.Option("--write", help="write what differs")] = False,
) -> None:
    """Say of each board's JSON whether it is what the code gives; exit code 1 if one is not."""
    differs = False
    for board in BOARDS:
        file, made = file_of(board), board_json(board)
        same = file.exists() and file.read_text(encoding="utf-8") == made
        if write and not same:
            file.write_text(made, encoding="utf-8")
        differs |= not same
        told = "unchanged" if same else "written" if write else "differs: run this with --write"
        typer.echo(f"{file.name}: {len(list(board.panels))} panels, {told}")
    raise typer.Exit(code=int(differs and not write))


if __name__ == "__main__":
    typer.run(main)

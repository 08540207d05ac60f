"""What all commands share on a terminal: where they print, how they fail, tables and moments."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tasks.spec import spec_files
from tasks.spec.model import ModelSpec, SpecError

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
Model = Annotated[str, typer.Argument(help="name of a model in the models folder")]
STYLES = {"steady": "green", "drifting": "red", "insufficient": "yellow"}  # of verdicts


def fail(error: Exception | str, code: int = 1) -> NoReturn:
    """Print what went wrong to standard error, and end with an exit code."""
    err.print(str(error), markup=False)
    raise typer.Exit(code) from None


def find(model: str, code: int = 1) -> ModelSpec:
    """Return the spec of a model; fail with a sentence that names those there are."""
    try:
        return spec_files.find(model)
    except SpecError as error:
        fail(error, code)


def table(title: str, *columns: str) -> Table:
    """Return a table without rows, with columns of text."""
    return Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD)


def moment(iso: str) -> str:
    """Return a time in ISO 8601 to the minute; midnight is the day."""
    return iso[:16].replace("T", " ").removesuffix(" 00:00")

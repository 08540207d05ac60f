"""What all commands share on a terminal: where they print, how they fail, tables and moments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from textwrap import shorten
from typing import Annotated, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from tasks.spec import spec_files
from tasks.spec.model import ModelSpec
from tasks.spec.part import SpecError

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
Model = Annotated[str, typer.Argument(help="name of a model in the models folder")]
Wide = Annotated[bool, typer.Option("--wide", help="show all columns, each row on one line")]
STYLES = {"steady": "green", "drifting": "red", "insufficient": "yellow"}  # of verdicts
_ENDLESS = 1_000_000  # columns


def fail(error: Exception | str, code: int = 1) -> NoReturn:
    """Print what went wrong to standard error, and end with an exit code."""
    err.print(str(error), markup=False)
    raise typer.Exit(code) from None


def find_or_fail(model: str, code: int = 1) -> ModelSpec:
    """Return the spec of a model; fail with a sentence that names those there are."""
    try:
        return spec_files.find(model)
    except SpecError as error:
        fail(error, code)


@dataclass(frozen=True)
class Column:
    """A column of a table; `only_wide` is shown with `--wide` alone.

    `figures` stand to the right. `whole` cells are not wrapped.
    """

    name: str
    figures: bool = False
    whole: bool = False
    only_wide: bool = False


class Fitted:
    """A table that is readable wherever it goes.

    A terminal gives its width. In a pipe the table is as wide as the terminal behind it, or 80
    columns, and wider only where a word needs it: no word is cut. A wide table has one line for
    each row, however long. No line ends in spaces.
    """

    def __init__(self, table: Table, wide: bool) -> None:
        self._table = table
        self._wide = wide

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(max_width=_ENDLESS), self._table)
        width = options.max_width
        if self._wide:
            width = needed.maximum
        elif not console.is_terminal:
            width = max(width, needed.minimum)
        fitting = options.update(width=width)
        for line in Segment.split_lines(console.render(self._table, fitting)):
            yield from _trimmed(line)
            yield Segment.line()


def _trimmed(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].text.strip():
        line.pop()
    return [*line[:-1], *(Segment(s.text.rstrip(), s.style) for s in line[-1:])]


def tabulate(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], *, wide: bool = False
) -> Fitted:
    """Return a table of cells in rich's markup, one for each column, those of `--wide` included."""
    shown = [wide or not column.only_wide for column in columns]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in compress(columns, shown):
        whole = column.figures or column.whole
        table.add_column(
            column.name,
            justify="right" if column.figures else "left",
            no_wrap=whole,
            overflow="fold",
            min_width=len(column.name),
        )
    for row in rows:
        table.add_row(*compress(row, shown))
    return Fitted(table, wide)


def cell_text(text: str, longest: int) -> str:
    """Return a text for a cell: shortened, and with nothing that could move the cursor."""
    line = shorten(text, longest, placeholder=" …")
    return "".join(sign if sign.isprintable() else "�" for sign in line)


def short_time(moment: datetime) -> str:
    """Return a time to the minute; midnight is the day."""
    return f"{moment:%Y-%m-%d %H:%M}".removesuffix(" 00:00")

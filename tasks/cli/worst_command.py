"""The command `python -m tasks worst`: single rows, for the few who may see them."""

from __future__ import annotations

import getpass
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from tasks import bounds
from tasks.cli.console import Column, Model, Wide, cell_text, err, fail, find_or_fail, out, tabulate
from tasks.disk import whole_private
from tasks.errors import GatelatchError
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, window_at

if TYPE_CHECKING:
    from tasks.flows.row_scores import DescribedRow
    from tasks.flows.worst import WorstRows

_SIGNS = 40  # of a cell on a terminal
_PARTS = 3  # contributions of a row on a terminal
OfWindow = Annotated[
    datetime, typer.Option("--window", help="a moment (event time) within the window")
]


def worst(
    model: Model,
    window: OfWindow,
    by: Annotated[
        Literal["loss", "margin", "contribution"],
        typer.Option(
            help="the largest loss first, the nearest to the border, or the largest part that one "
            "feature has in a margin"
        ),
    ] = "loss",
    rows: Annotated[int, typer.Option(min=1, max=1_000, help="how many rows")] = 50,
    columns: Annotated[
        str | None, typer.Option(help="columns of the spec to show as well: x,z; else none")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="file of JSON lines to write, for you alone; left out: this terminal"),
    ] = None,
    who: Annotated[
        str | None, typer.Option(help="who looks; left out: the user of this terminal")
    ] = None,
    wide: Wide = False,
) -> None:
    """List a window's worst rows by their key, as its champion scores them.

    The ledger records who looked, when, at which window, and at which columns; never the rows.
    Without --to, standard output must be a terminal. Exit code 0: shown. 1: nothing was shown, and
    the message says why.
    """
    from tasks.flows import worst as looking
    from tasks.flows.looks import recorded_look

    spec = find_or_fail(model)
    if to is None and not sys.stdout.isatty():  # rich believes FORCE_COLOR
        fail("standard output is no terminal, and rows go nowhere else unasked; name a file: --to")
    try:
        found = looking.worst(
            spec,
            window_of(spec, window),
            by=by,
            at_most=rows,
            columns=[name.strip() for name in columns.split(",")] if columns else (),
        )
        shown = "on a terminal" if to is None else f"in {to.absolute()}"
        look = recorded_look(looking.look_of(found, by=who or getpass.getuser(), shown=shown))
        if to is None:
            out.print(_table(found, wide))
        else:
            with whole_private(to, "--to") as file:
                for row in found.rows:
                    file.write(json.dumps(_line(found, row), default=str) + "\n")
    except GatelatchError as error:
        fail(error)
    err.print(f"{found.told}; recorded as look {look.number} by {look.by}", markup=False)


def window_of(spec: ModelSpec, moment: datetime) -> Window:
    """Return the window that a person named by a moment; without a zone, in the window's own."""
    zone = ZoneInfo(spec.window.timezone)
    return window_at(
        spec.window, bounds.moment(moment.replace(tzinfo=moment.tzinfo or zone), "--window")
    )


def _line(found: WorstRows, row: DescribedRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "margin": row.margin,
        "decided": row.decided,
        "loss": row.loss,
        "contributions": row.contributions,
        **({"columns": row.columns} if found.columns else {}),
    }


def _table(found: WorstRows, wide: bool) -> Any:
    columns = [
        Column("key"),
        Column("margin", figures=True),
        Column("decided"),
        Column("loss", figures=True),
        Column("contributions"),
        *(Column(escape(name)) for name in found.columns),
    ]
    return tabulate(columns, (_cells(row) for row in found.rows), wide=wide)


def _cells(row: DescribedRow) -> list[str]:
    most = list(row.contributions.items())[:_PARTS]
    return [
        _shown(row.key),
        f"{row.margin:+.3f}",
        _shown(row.decided),
        "–" if row.loss is None else f"{row.loss:.3f}",
        ", ".join(f"{_shown(name)} {part:+.2f}" for name, part in most) or "not available",
        *(_shown(value) for value in row.columns.values()),
    ]


def _shown(value: Any) -> str:
    return escape(cell_text(str(value), _SIGNS))

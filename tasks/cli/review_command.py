"""The command `python -m tasks review`: what people are asked to label, and what came back."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

from tasks.cli.console import Model, fail, find_or_fail, out
from tasks.cli.worst_command import OfWindow, window_of
from tasks.disk import whole_private
from tasks.errors import GatelatchError


def review(
    model: Model,
    window: OfWindow,
    form: Annotated[
        Literal["label-studio", "argilla", "csv"], typer.Option("--format", help="of the file")
    ] = "csv",
    to: Annotated[
        Path | None,
        typer.Option(help="file to write, for you alone; left out: only say how many rows"),
    ] = None,
    who: Annotated[
        str | None, typer.Option(help="who takes them; left out: the user of this terminal")
    ] = None,
) -> None:
    """Say what is to be reviewed of a window and what came back; with --to write it for a tool.

    The rows are those that the monitor chose. The ledger records who took them; never the rows.
    Exit code 0: told, or written. 1: nothing was written, and the message says why.
    """
    from tasks.flows import review_labels, review_queue
    from tasks.flows.looks import recorded_look
    from tasks.flows.review_formats import write_queue
    from tasks.flows.row_scores import scored_rows_of
    from tasks.ledger.ledger import Ledger
    from tasks.ledger.records import RowLook

    spec = find_or_fail(model)
    try:
        found = window_of(spec, window)
        review_queue.review_of(spec)
        paths = review_queue.queues_of(spec, found)
        if not paths:
            fail(f"{model} {found}: no row was chosen for review; run monitor.{model} for it first")
        queues = [review_queue.read_queue(path) for path in paths]
        if to is None:
            for queue in queues:
                out.print(queue.told, markup=False)
            scored = scored_rows_of(spec, found, Ledger.open())
            for line in review_labels.returned(scored).told:
                out.print(line, markup=False)
            return
        queue = max(queues, key=lambda queue: queue.number)
        look = recorded_look(
            RowLook(
                model=model,
                purpose="review",
                window_start=found.start,
                window_end=found.end,
                version=queue.version,
                data_digest=queue.data_digest,
                by=who or getpass.getuser(),
                ranked=queue.prefer,
                rows=len(queue.rows),
                columns=sorted({name for row in queue.rows for name in row.columns}),
                shown=f"in {to.absolute()} ({form})",
            )
        )
        with whole_private(to, "--to") as file:
            write_queue(queue, form, file)
    except GatelatchError as error:
        fail(error)
    out.print(
        f"{queue.told}, written to {to}; recorded as look {look.number} by {look.by}", markup=False
    )

"""The command `python -m tasks withdraw`: end a proposal whose run will not finish."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from tasks.cli.console import Model, fail, find_or_fail, out
from tasks.errors import GatelatchError


def withdraw(
    model: Model,
    proposal: Annotated[str, typer.Argument(help="name of the proposal, as `status` shows it")],
    reason: Annotated[str, typer.Option(help="why; recorded in the ledger")],
    by: Annotated[str, typer.Option(help="who withdraws it")],
) -> None:
    """End a live proposal whose run will not finish; the latch then rests."""
    from tasks.promotion import proposals

    try:
        proposals.withdraw(find_or_fail(model), proposal, by, reason)
    except GatelatchError as error:
        fail(error)
    out.print(f"{escape(proposal)} is withdrawn")

"""The command `python -m tasks rollback`: what the rollback DAG does, from a terminal."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from tasks.bounds import INTEGER
from tasks.cli.console import Model, fail, find_or_fail, out
from tasks.errors import GatelatchError


def rollback(
    model: Model,
    reason: Annotated[str, typer.Option(help="why; recorded in the ledger")],
    version: Annotated[
        int | None,
        typer.Option(
            min=1, max=INTEGER, help="version to go back to; left out: the champion before this one"
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="who decides; left out: the user of this terminal")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")] = False,
) -> None:
    """Go back to an earlier champion, after its model was verified; the latch then rests.

    Exit code 0: the version is champion. 1: nothing was changed, and the message says why.
    """
    from tasks.flows.rollback import RollbackError, by_hand, promote_back, target

    spec = find_or_fail(model)
    try:
        champion, earlier = target(spec, version)
        if not (yes or _confirmed(model, champion, earlier)):
            raise RollbackError("not confirmed, nothing was changed; --yes does not ask")
        now = datetime.now(UTC)
        proposal = by_hand(
            spec,
            f"terminal.{now:%Y%m%dT%H%M%S.%f}",
            version=earlier,
            by=by or getpass.getuser(),
            reason=reason,
            expected=champion,
        )
        done = promote_back(spec, proposal.proposal)
    except GatelatchError as error:
        fail(error)
    out.print(
        f"version {done.version} is champion of {model} for windows from "
        f"{done.effective_from:%Y-%m-%d %H:%M} UTC on; let production score with it\n"
        f"what comes of it: python -m tasks status {model}",
        markup=False,
    )


def _confirmed(model: str, champion: int, earlier: int) -> bool:
    try:
        return typer.confirm(f"{model}: make version {earlier} champion in place of {champion}?")
    except typer.Abort:  # no answer: the input ended
        return False

"""The command `python -m tasks expire`: thin and remove what the specs keep no longer."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from tasks.cli.console import err, fail, find_or_fail, out
from tasks.errors import GatelatchError
from tasks.spec import spec_files


def expire(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="name of a model, or --all", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every model of the models folder")] = False,
    by: Annotated[
        str | None, typer.Option(help="who decides; left out: the user of this terminal")
    ] = None,
    try_out: Annotated[
        bool, typer.Option("--dry-run", help="say what would go, and change nothing")
    ] = False,
) -> None:
    """Thin old figures and remove old files, as `retention` in the spec says, and record it.

    Exit code 1: something of a model that was named could not expire, and the message says why.
    """
    from tasks.flows import expire as expiring

    if every == (model is not None):
        fail("name one model, or give --all", 2)
    specs, mistakes = spec_files.load_all() if model is None else ([find_or_fail(model)], [])
    for mistake in mistakes:
        err.print(mistake, markup=False)
    failed = bool(mistakes)
    for spec in specs:
        try:
            found = expiring.expire(spec, by or getpass.getuser(), try_out=try_out)
        except GatelatchError as error:
            err.print(f"{spec.model}: {error}", markup=False)
            failed = True
            continue
        if not found:
            out.print(
                f"{spec.model}: everything is kept; set `retention` in its spec", markup=False
            )
        for one in found:
            shown = out if one.allowed else err
            shown.print(f"{spec.model}: {expiring.described(one, try_out=try_out)}", markup=False)
            failed |= not one.allowed
    if failed:
        raise typer.Exit(1)

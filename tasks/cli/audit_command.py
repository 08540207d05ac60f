"""`python -m tasks audit`: print a model's trail, verify it, keep its head, adopt an old one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.console import Wide, err, fail, find_or_fail
from tasks.errors import GatelatchError

if TYPE_CHECKING:
    from tasks.ledger import chain


def audit(
    model: Annotated[str, typer.Argument(help="name of a model in the ledger")],
    verify: Annotated[
        bool,
        typer.Option("--verify", help="find altered, removed, forged and foreign rows and heads"),
    ] = False,
    head: Annotated[
        list[str] | None,
        typer.Option(
            help="a head that was kept, as a digest or a file of --save; verify that it "
            "is still in the chain"
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="write the signed head to this file; keep it elsewhere")
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="vouch for all rows so far, signed or not; recorded"),
    ] = False,
    by: Annotated[str | None, typer.Option(help="with --adopt: who vouches")] = None,
    reason: Annotated[str | None, typer.Option(help="with --adopt: the reason; recorded")] = None,
    each_window: Annotated[
        bool, typer.Option("--observations", help="show each observation, instead of counts")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
    wide: Wide = False,
) -> None:
    """Show who decided what about a model, when and on which evidence; verify the record.

    Exit code 1: the ledger is not as it was recorded, or somebody wrote a row without the right to
    it. The last line then names the row.
    """
    from tasks.audit import adoption, findings, heads
    from tasks.audit import events as trails
    from tasks.cli import audit_tables
    from tasks.ledger.ledger import Ledger

    try:
        kept = [heads.named_head(model, given) for given in head or []]
        ledger = Ledger.open()
        if adopt:
            err.print(adoption.adopt(ledger, model, by or "", reason or "", kept), markup=False)
        trail = ledger.trail(model)
        if not trail.links and not trail.rows and not head:
            find_or_fail(model)
        found = findings.verify_trail(model, trail, kept) if verify or head else None
    except GatelatchError as error:
        fail(error)
    told = trails.events(trail, each_window=each_window)
    if as_json:
        print(json.dumps(audit_tables.audit_as_json(model, trail, told, found), indent=2))
    else:
        audit_tables.show_audit(model, trail, told, found, wide=wide)
    if save:
        _save(save, model, trail)
    if found and found.fault:
        fail(f"{model}: {found.fault}")


def _save(path: Path, model: str, trail: chain.Trail) -> None:
    from tasks.audit import heads

    made = trail.seals.get(len(trail.links))
    if made is None:
        fail(f"{path}: the newest row is not signed, so there is no head to save")
    path.write_text(heads.head_to_json(model, trail.links[-1], made))

"""The command `python -m tasks init`: make the stores ready."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.cli.console import out


def init(
    writer: Annotated[
        list[str] | None,
        typer.Option(help="role of PostgreSQL that may read the ledger and append; repeatable"),
    ] = None,
    reader: Annotated[
        list[str] | None, typer.Option(help="role of PostgreSQL that may read it; repeatable")
    ] = None,
) -> None:
    """Create or upgrade the ledger's tables and check the stores; safe to repeat."""
    from tasks import store
    from tasks.ledger import engine, roles
    from tasks.ledger.ledger import Ledger
    from tasks.registry import tracking
    from tasks.signing import keyring

    Ledger.prepare()
    if writer or reader:
        roles.grant(engine.address(), writers=writer or [], readers=reader or [])
    store.write("reports/.ready", "")
    tracking.prepare_store()
    keyring.create_keys()
    out.print("ledger, store and registry are ready")

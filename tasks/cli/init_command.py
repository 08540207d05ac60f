"""The command `python -m tasks init`: make the stores ready."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.cli.console import err, out
from tasks.errors import GatelatchError


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
    from tasks.promotion import promotion
    from tasks.registry import tracking
    from tasks.signing import keyring
    from tasks.spec import spec_files

    Ledger.prepare()
    if writer or reader:
        roles.grant(engine.address(), writers=writer or [], readers=reader or [])
    store.write("reports/.ready", "")
    tracking.prepare_store()
    keyring.create_keys()
    if keyring.private_path().exists():  # promotions of a release that kept none in MLflow
        ledger = Ledger.open()
        for spec in spec_files.load_all()[0]:
            try:
                promotion.keep_promotions(spec.model, ledger)
            except GatelatchError as error:  # of one model, and no reason to hold up the others
                err.print(str(error), markup=False)
    out.print("ledger, store and registry are ready")

"""The command `python -m tasks init`: make the stores ready."""

from __future__ import annotations

from tasks.cli.console import out


def init() -> None:
    """Create or upgrade the ledger's tables and check the stores; safe to repeat."""
    from tasks import store
    from tasks.ledger.ledger import Ledger
    from tasks.registry import tracking
    from tasks.signing import keyring

    Ledger.prepare()
    store.write("reports/.ready", "")
    tracking.prepare_store()
    keyring.create_keys()
    out.print("ledger, store and registry are ready")

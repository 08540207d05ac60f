"""Record that somebody looks at rows, before any is shown."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tasks import bounds
from tasks.audit import heads, verification
from tasks.ledger.ledger import Ledger
from tasks.ledger.looking import record_look
from tasks.ledger.records import RowLook


def recorded_look(look: RowLook) -> RowLook:
    """Append a look to the ledger and return it with its number; then rows may be shown.

    Raises
    ------
    tasks.bounds.OutOfBounds
        If the name of who looks, or of the file, is none that the ledger holds.
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded.
    tasks.disk.Unusable, tasks.signing.keyring.KeyUnusable
        If it cannot be recorded: then nothing must be shown.
    """
    ledger = Ledger.open()
    verification.require(ledger, look.model)
    named = replace(
        look,
        by=bounds.name(look.by, "who looks"),
        shown=bounds.prose(look.shown, "where rows are shown"),
    )
    made = ledger.alone(look.model, partial(record_look, look=named))
    heads.keep(look.model, ledger)
    return made

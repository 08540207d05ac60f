"""Take in rows that no trusted key signed, on the word of a person: never automatic, and recorded.

For a ledger from before signatures, one that was restored from a backup, and rows of a key that is
trusted no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.audit import findings, heads
from tasks.audit.heads import Head
from tasks.errors import Final
from tasks.ledger import chain
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Adoption


class NotAdopted(Final):
    """The rows cannot be vouched for, or need not be: says why."""


def adopt(ledger: Ledger, model: str, by: str, reason: str, given: Sequence[Head] = ()) -> str:
    """Record that a person vouches for all rows so far; return a sentence that says so.

    Kept heads that the chain does not hold are given up with it, as after a restore.

    Raises
    ------
    NotAdopted
        If nobody is named or no reason; if the chain itself is broken, which nobody can
        vouch for; if every row is signed and in order.
    tasks.signing.keyring.KeyUnusable
        If there is no key to sign or verify with.
    """
    if not by.strip() or not reason.strip():
        raise NotAdopted("to adopt rows, say who vouches for them and why: --by NAME --reason WHY")
    trail = ledger.trail(model)
    if not trail.links:
        raise NotAdopted(f"the ledger holds no row of {model}: there is nothing to adopt")
    if broken := chain.chain_fault(trail):
        raise NotAdopted(
            f"{model}: {broken}; nobody can vouch for that: restore the ledger from a backup"
        )
    found = findings.verify_trail(model, trail, given)
    if found.refused is None:
        raise NotAdopted(f"{model}: every row is signed and in order: there is nothing to adopt")
    digests = {link.digest for link in trail.links}
    lost = sorted({head.digest for head in found.kept} - digests)
    newest = trail.links[-1]
    ledger.adopt(
        Adoption(
            model=model,
            position=newest.position,
            head=newest.digest,
            by=by,
            reason=reason,
            lost=lost,
        )
    )
    heads.keep(model, ledger, replace=True)
    given_up = f", {len(lost)} kept heads are given up" if lost else ""
    return (
        f"{model}: {by} vouches for rows 1 to {newest.position}{given_up}; what was wrong until "
        f"now: {found.refused}"
    )

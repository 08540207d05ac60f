"""Whether a ledger may be acted on: links, signatures, meaning and kept heads, in this order."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.audit import heads, meaning
from tasks.audit.heads import Head
from tasks.ledger import chain, seals
from tasks.ledger.chain import LedgerRefused, Trail
from tasks.ledger.reader import LedgerReader
from tasks.registry import tagged_heads

# What a window costs must not grow with the past: of these rows and links are counted.
MANY = frozenset({"observations", "expiries", "looks"})


def ledger_fault(
    model: str, trail: Trail, keys: seals.Trusted, kept: Iterable[Head] = ()
) -> str | None:
    """Return a sentence on the first row or head that is not as it should be; None if all are.

    Pure. Links first: what they do not hold is not worth looking at.
    """
    return (
        chain.chain_fault(trail)
        or seals.seal_fault(model, trail, keys)
        or meaning.meaning_fault(trail, seals.adopted(trail))
        or heads.head_fault(model, trail, kept, keys)
    )


def require(ledger: LedgerReader, model: str, *, whole: bool = False) -> None:
    """Raise unless the ledger stands, as far as what makes a champion is concerned.

    Parameters
    ----------
    whole
        Look at every observation as well, and at the heads that MLflow keeps: before the champion
        moves.

    Raises
    ------
    LedgerRefused
        If it does not: names the row and the way out.
    tasks.signing.keyring.KeyUnusable
        If there is no key to verify with.
    """
    keys = seals.trusted()
    stored = heads.in_store(model)
    kept = [stored] if stored else []
    if whole:
        kept += in_registry(model)[0]
    # The trail last: a head may be kept while we look, and must then be in it.
    trail = (
        ledger.trail(model)
        if whole
        else ledger.trail_without(model, MANY, [(head.position, head.digest) for head in kept])
    )
    if found := ledger_fault(model, trail, keys, kept):
        raise LedgerRefused(model, found)


def in_registry(model: str) -> tuple[list[Head], dict[tuple[int, int], str], set[int]]:
    """Return the heads that MLflow keeps, as such and as they are there, and its versions.

    Raises
    ------
    tasks.registry.tracking.RegistryUnreachable
        If MLflow does not answer.
    """

    there, versions = tagged_heads.kept_heads(model)
    return (
        [
            heads.from_text(model, text, f"in MLflow with version {version}")
            for (_, version), text in there.items()
        ],
        there,
        versions,
    )

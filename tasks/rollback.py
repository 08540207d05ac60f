"""What the rollback DAG does: verify the target, then promote backwards."""

from __future__ import annotations

from tasks import status
from tasks.ledger import Ledger
from tasks.promotion import settle
from tasks.records import Promotion
from tasks.spec import ModelSpec
from tasks.versions import model_of


class RollbackError(Exception):
    """A rollback that cannot be done: says why, and the way out."""


def target(spec: ModelSpec, version: int | None) -> tuple[int, int]:
    """Return (champion, version to go back to) after the target could be loaded.

    Parameters
    ----------
    version
        None means the version that was champion before.

    Raises
    ------
    RollbackError
        If there is no such earlier champion.
    tasks.registry.RegistryError
        If its model cannot be loaded safely.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    if known.champion is None:
        raise RollbackError(f"{spec.model} has no champion yet; there is nothing to roll back")
    wanted = known.promotions[-1].expected if version is None else version
    reigned = {p.version for p in known.promotions} - {known.champion}
    if wanted not in reigned:
        there = ", ".join(map(str, sorted(reigned))) or "none"
        asked = "an earlier champion" if wanted is None else f"version {wanted}"
        raise RollbackError(f"{spec.model} cannot go back to {asked}; earlier champions: {there}")
    model_of(spec, ledger, wanted)
    return known.champion, wanted


def promote_back(
    spec: ModelSpec, proposal: str, *, expected: int, version: int, by: str, reason: str
) -> Promotion:
    """Make an earlier champion champion again, with its own reference; compare-and-set.

    Raises
    ------
    tasks.ledger.Conflict
        If the champion is no longer `expected`.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    newest = known.promotions[-1].effective_from
    promotion = ledger.promote(
        spec.model,
        proposal,
        version=version,
        expected=expected,
        effective_from=known.effective_from(newest),
        by=by,
        reason=f"rollback: {reason}",
    )
    settle(spec, ledger, promotion)
    return promotion

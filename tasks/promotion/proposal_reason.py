"""Why a run was proposed, as the ledger's sentence has it; and which backfill found it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_FOUND_BY = ", found by the backfill of "


@dataclass(frozen=True, kw_only=True)
class ProposalReason:
    """Why something is proposed; `backfill` is the range FROM/TO that led to it, None if none.

    Examples
    --------
    >>> str(ProposalReason(why="drift", backfill="2026-01-05/2026-03-30"))
    'drift, found by the backfill of 2026-01-05/2026-03-30'
    >>> ProposalReason.parse("drift").backfill is None
    True
    """

    why: str
    backfill: str | None = None

    def __str__(self) -> str:
        return self.why if self.backfill is None else f"{self.why}{_FOUND_BY}{self.backfill}"

    @classmethod
    def parse(cls, reason: str) -> ProposalReason:
        """Return what a proposal's reason says; the inverse of `str`."""
        why, found, backfill = reason.rpartition(_FOUND_BY)
        return cls(why=why, backfill=backfill) if found else cls(why=reason)

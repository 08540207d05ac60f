"""Why a run was proposed, as the ledger's sentence has it; and what came with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FILE = "[0-9a-f]{64}"  # how a file to adopt is named: the digest of its content
_FOUND_BY = ", found by the backfill of "
_HANDS_IN = ", with the file "


@dataclass(frozen=True, kw_only=True)
class ProposalReason:
    """Why something is proposed.

    `backfill` is the range FROM/TO that led to it; `file` the digest of the file that is to be
    adopted, 64 hex digits. None if there is none.

    Examples
    --------
    >>> str(ProposalReason(why="drift", backfill="2026-01-05/2026-03-30"))
    'drift, found by the backfill of 2026-01-05/2026-03-30'
    >>> ProposalReason.parse("drift").backfill is None
    True
    """

    why: str
    backfill: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        found = "" if self.backfill is None else f"{_FOUND_BY}{self.backfill}"
        return self.why + found + ("" if self.file is None else f"{_HANDS_IN}{self.file}")

    @classmethod
    def parse(cls, reason: str) -> ProposalReason:
        """Return what a proposal's reason says; the inverse of `str`."""
        said, handed, file = reason.rpartition(_HANDS_IN)
        said = said if handed else reason
        why, found, backfill = said.rpartition(_FOUND_BY)
        return cls(
            why=why if found else said,
            backfill=backfill if found else None,
            file=file if handed else None,
        )

"""A model that a person stopped: nothing is proposed or promoted until a person lets it go on.

A rollback that a person asks for is let through: whoever stops a model because of its champion may
go back to an earlier one and leave the rest stopped. See
docs/decisions/027-a-freeze-holds-and-loses-nothing.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from tasks.errors import Final
from tasks.ledger import stored
from tasks.ledger.records import PROPOSER, Freeze, Promotion, Proposal
from tasks.ledger.tables import FREEZES, PROPOSALS


class Frozen(Final):
    """A person stopped the model: says who, since when, why, and how it goes on."""


def freeze_in_force(freezes: Sequence[Freeze]) -> Freeze | None:
    """Return the freeze that holds a model, of all its freezes, oldest first; None if none does."""
    return freezes[-1] if freezes and freezes[-1].state == "frozen" else None


def freeze_told(freeze: Freeze) -> str:
    """Return a sentence on who froze a model, since when and why."""
    since = f"{freeze.recorded_at:%Y-%m-%d %H:%M} UTC"
    reason = " ".join(freeze.reason.split()).rstrip(".")
    return f"{freeze.model} is frozen by {freeze.by} since {since}: {reason}"


def way_out(freeze: Freeze) -> str:
    """Return a sentence on how a frozen model goes on."""
    return (
        "Nothing is proposed or promoted until somebody runs "
        f"`python -m tasks thaw {freeze.model} --reason ...`"
    )


def asked_by_hand(kind: str, proposer: str) -> bool:
    """Return whether a proposal is a rollback that a person asks for, which no freeze stops."""
    return kind == "rollback" and proposer != PROPOSER


def require_thawed(freezes: Sequence[Freeze]) -> None:
    """Raise Frozen if a freeze holds the model."""
    if (freeze := freeze_in_force(freezes)) is not None:
        raise Frozen(f"{freeze_told(freeze)}. {way_out(freeze)}")


def require_may_propose(link: sa.Connection, proposal: Proposal) -> None:
    """Raise Frozen if a freeze holds the model, unless the proposal is there or by hand.

    On the connection that writes it and has the model's lock: a freeze that was recorded first
    wins.
    """
    if asked_by_hand(proposal.kind, proposal.proposer):
        return
    if _proposed(link, proposal.model, proposal.proposal) is None:
        require_thawed(stored.of_model(link, FREEZES, proposal.model, Freeze))


def require_may_promote(link: sa.Connection, promotion: Promotion) -> None:
    """Raise Frozen if a freeze holds the model, unless the promotion is a rollback by hand.

    On the connection that writes it and has the model's lock: a freeze that was recorded first
    wins, whenever the promotion was approved.
    """
    asked = _proposed(link, promotion.model, promotion.proposal)
    if asked is None or not asked_by_hand(asked.kind, asked.proposer):
        require_thawed(stored.of_model(link, FREEZES, promotion.model, Freeze))


def _proposed(link: sa.Connection, model: str, proposal: str) -> Proposal | None:
    p = PROPOSALS.c
    query = sa.select(PROPOSALS).where(p.model == model, p.proposal == proposal)
    return next(iter(stored.records(link, query, Proposal)), None)

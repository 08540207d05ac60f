"""A person stops models and lets them go on: what is recorded, and what a freeze holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tasks import bounds
from tasks.audit import heads
from tasks.errors import Final, GatelatchError
from tasks.ledger.freezes import asked_by_hand
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision, Freeze, FreezeState, Proposal
from tasks.ledger.status import live_of
from tasks.promotion.answers import visible


class NoReason(Final):
    """Somebody stops a model and does not say why."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of one model: whether its state `changed`, and its newest freeze, if any.

    `problem` is why nothing could be recorded.
    """

    model: str
    changed: bool = False
    newest: Freeze | None = None
    problem: str | None = None


def record(
    ledger: Ledger, models: Iterable[str], state: FreezeState, *, by: str, reason: str
) -> list[Recorded]:
    """Stop models, or let them go on; what goes wrong with one costs no other one anything.

    Raises
    ------
    NoReason
        If none is given.
    tasks.bounds.OutOfBounds
        If the ledger cannot hold who does it, or why.
    """
    bounds.name(by, "who decides")
    bounds.prose(reason)
    if not visible(reason):
        raise NoReason("say why: the reason is kept in the ledger")
    return [_recorded(ledger, model, state, by, reason) for model in models]


def _recorded(ledger: Ledger, model: str, state: FreezeState, by: str, reason: str) -> Recorded:
    try:
        written = ledger.freeze(model, state, by=by, reason=reason)
        if written is not None:
            heads.keep(model, ledger)  # so that a freeze that somebody cuts off is missed
        newest = next(reversed(ledger.freezes(model)), None)
    except GatelatchError as error:
        return Recorded(model=model, problem=str(error))
    return Recorded(model=model, changed=written is not None, newest=newest)


def held_by_freeze(ledger: Ledger, model: str) -> list[str]:
    """Return a sentence on each live proposal that a freeze holds, or would."""
    decisions = ledger.decisions(model)
    live = live_of(ledger.proposals(model), decisions, ledger.promotions(model))
    held = (p for p in live if not asked_by_hand(p.kind, p.proposer))
    return [_held(proposal, decisions) for proposal in held]


def _held(proposal: Proposal, decisions: Iterable[Decision]) -> str:
    name, last = proposal.proposal, "rollback" if proposal.kind == "rollback" else "promote"
    said = next((d for d in decisions if (d.proposal, d.step) == (name, last)), None)
    if said is None:
        return f"{name} is live: only its promotion waits for the thaw"
    return f"{name} was approved by {said.by}: it is promoted after the thaw"

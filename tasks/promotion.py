"""Make an approved candidate champion: compare-and-set in the ledger, and MLflow follows."""

from __future__ import annotations

from tasks import evidence, status
from tasks.approval import NotApproved, approved, candidate_of, decision_on, evidence_of
from tasks.ledger import Conflict, Ledger
from tasks.records import Decision, Promotion
from tasks.spec import ModelSpec


def promote(spec: ModelSpec, proposal: str) -> Promotion:
    """Make the candidate champion, if it was approved and its champion still reigns.

    Raises
    ------
    NotApproved
        If no approval of exactly this evidence is recorded.
    Conflict
        If another version became champion meanwhile; recorded, nothing is changed.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    asked = approved(spec, ledger, proposal, "promote")
    candidate = candidate_of(known, proposal)
    approval = decision_on(ledger, spec, proposal, "promote")
    shown = evidence_of(known, proposal, "promote")
    if approval.evidence != shown:
        raise NotApproved(
            f"{proposal}: {approval.by} approved evidence {evidence.short(approval.evidence)}, and "
            f"what is there now is {evidence.short(shown)}; nothing is promoted. Propose again."
        )
    since = known.effective_from(candidate.trained_until)
    try:
        promotion = ledger.promote(
            spec.model,
            proposal,
            version=candidate.version,
            expected=asked.champion,
            effective_from=since,
            by=approval.by,
            reason=asked.reason,
        )
    except Conflict as conflict:
        ledger.decide(
            Decision(
                spec.model,
                proposal,
                "promotion",
                "superseded",
                "ledger",
                str(conflict),
                shown,
                since,
            )
        )
        raise
    follow(spec, ledger)
    return promotion


def follow(spec: ModelSpec, ledger: Ledger) -> None:
    """Let MLflow's aliases follow the ledger's newest promotion, whichever step asks for it."""
    from tasks import registry

    newest = ledger.promotions(spec.model)[-1]
    registry.point_champion(spec.model, newest.version, newest.expected)

"""What the retrain DAG waits for between registration and promotion: the shadow windows."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import cast

from tasks.ledger import evidence, status
from tasks.ledger.ledger import Ledger
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import Decision, Proposal
from tasks.promotion import decisions, proposals, shadow
from tasks.promotion.shadow import Outcome, ShadowAnswer
from tasks.spec.model import ModelSpec

SHADOW_STEP = "shadow"


def look(spec: ModelSpec, proposal: str) -> Outcome:
    """Return what the shadow windows say by now; once they decide, that is recorded and stands.

    Raises
    ------
    NotApproved
        If the proposal was refused or withdrawn meanwhile, or the spec has changed.
    """
    ledger = Ledger.open()
    asked = proposals.still_stands(ledger, spec, proposal, again=SHADOW_STEP)
    known = status.read(spec, ledger)
    seen = look_at(known, asked, ledger)
    earlier = decisions.decided(ledger, spec, proposal, SHADOW_STEP)
    if earlier is None and seen.answer != "waiting":
        compared = [asdict(pair) for pair in seen.compared]
        earlier = ledger.decide(
            Decision(
                model=spec.model,
                proposal=proposal,
                step=SHADOW_STEP,
                answer=seen.answer,
                by=SHADOW_STEP,
                comment=seen.reason,
                evidence=evidence.digest(compared),
                effective_from=known.decided_at(asked),
            )
        )
    if earlier is None:
        return seen
    return replace(seen, answer=cast(ShadowAnswer, earlier.answer), reason=earlier.comment)


def require_shadow(spec: ModelSpec, ledger: Ledger, proposal: str) -> None:
    """Raise NotApproved unless the candidate passed its shadow windows, if the spec wants any."""
    if spec.shadow.windows:
        decisions.decision_on(ledger, spec, proposal, SHADOW_STEP)


def look_at(known: status.Status, asked: Proposal, ledger: LedgerReader) -> Outcome:
    """Return what the shadow windows say by now; nothing is recorded."""
    spec = known.spec
    if asked.champion is None:
        return Outcome("passed", "there was no champion to be compared with")
    if known.champion != asked.champion:
        reason = f"the champion is version {known.champion} by now, not version {asked.champion}"
        return Outcome("superseded", f"{reason}; propose again")
    candidate = proposals.candidate_of(known, asked.proposal)
    champion = known.candidate(asked.champion)
    assert champion is not None  # it was promoted, so it was registered
    new, old = (ledger.observations_of(spec.model, c.version) for c in (candidate, champion))
    return shadow.judge_shadow(spec, candidate, champion, new, old)

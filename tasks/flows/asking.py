"""Put a question to people: write the brief, and record who is asked on which evidence."""

from __future__ import annotations

from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Proposal
from tasks.promotion import proposals, questions
from tasks.promotion.counted_rows import CountedRows
from tasks.promotion.shadow import Outcome
from tasks.reports import brief_page, promotion_brief, retrain_brief
from tasks.spec.model import ModelSpec


def to_retrain(
    spec: ModelSpec, proposal: Proposal, run_link: str, rows: CountedRows | None = None
) -> dict[str, str]:
    """Write the brief for the retrain approval; return its subject, body, address and evidence."""
    ledger = Ledger.open()
    text = retrain_brief.retrain(status.read(spec, ledger), proposal, run_link, rows)
    question = questions.ask(spec, ledger, proposal.proposal, "retrain")
    return brief_page.publish_brief(ledger, question, "retrain", text)


def to_promote(
    spec: ModelSpec, proposal: str, run_link: str, shadow: Outcome | None = None
) -> dict[str, str]:
    """Write the brief for the promotion approval; return subject, body, address and evidence."""
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    candidate = proposals.candidate_of(known, proposal)
    text = promotion_brief.promotion(known, candidate, run_link, shadow)
    question = questions.ask(spec, ledger, proposal, "promote")
    return brief_page.publish_brief(ledger, question, "promotion", text)

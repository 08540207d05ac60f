"""Who is asked what, on which evidence: recorded before anybody can answer.

So everybody who reads the ledger can check a yes against the question.
"""

from __future__ import annotations

from tasks.audit.meaning import may_say_yes
from tasks.ledger import evidence
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import POLICY, Candidate, Proposal, Question
from tasks.promotion import answers
from tasks.spec.model import ModelSpec


def ask(
    spec: ModelSpec, ledger: Ledger, proposal: str, step: str, *, by_policy: bool = False
) -> Question:
    """Record who is asked about a step, or that the spec lets it pass; return the question."""
    asked = next(p for p in ledger.proposals(spec.model) if p.proposal == proposal)
    if by_policy or getattr(spec.approval, step) == "automatic":
        users = [[POLICY, POLICY]]
    else:
        users = [list(user) for user in answers.may_answer(spec, asked.proposer)]
    shown = evidence_on(spec, ledger, asked, step)
    return ledger.ask(
        Question(model=spec.model, proposal=proposal, step=step, evidence=shown, asked=users)
    )


def evidence_on(spec: ModelSpec, ledger: Ledger, asked: Proposal, step: str) -> str:
    """Return the digest of what an answer to this step is about, as the ledger has it now."""
    if step != "promote":
        return evidence.of_proposal(spec, asked)
    mine = [d for d in ledger.decisions(spec.model) if d.proposal == asked.proposal]
    said = [d.evidence for d in mine if d.step == "shadow"]
    return evidence.of_candidate(spec, asked, _candidate(ledger, asked), said)


def _candidate(ledger: Ledger, asked: Proposal) -> Candidate:
    return next(c for c in ledger.candidates(asked.model) if c.proposal == asked.proposal)


def unasked(
    spec: ModelSpec, ledger: Ledger, proposal: str, step: str, shown: str, by: str
) -> str | None:
    """Return why a yes on this evidence does not answer the question; None if it does.

    What was not asked at all is put down now, which takes a key that may.
    """
    about = [q for q in ledger.questions(spec.model) if (q.proposal, q.step) == (proposal, step)]
    fitting = [q for q in about or [ask(spec, ledger, proposal, step)] if q.evidence == shown]
    if not fitting:
        return "what was asked about has changed since; propose again"
    if not any(may_say_yes(by, q.asked) for q in fitting):
        return f"{by} was not asked"
    return None

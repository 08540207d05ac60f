"""Who decides: the people who are asked, and the recorded answers.

Every later step looks the decision up in the ledger before it acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.audit import heads, verification
from tasks.ledger import evidence, status
from tasks.ledger.conflicts import Conflict
from tasks.ledger.freezes import freeze_told
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import POLICY, Decision, Proposal
from tasks.promotion import answers, questions
from tasks.promotion.data_faults import DataFault, data_faults
from tasks.promotion.proposals import NotApproved, candidate_of, ended, proposal_of, still_stands
from tasks.spec.model import ModelSpec


def whom_to_ask(spec: ModelSpec, proposal: Proposal) -> None:
    """Raise NotApproved if a person has to decide on a proposal and nobody may."""
    if spec.approval.asks:
        _whom_to_ask(spec, proposal.proposer)


def question(
    spec: ModelSpec, proposal: str, step: str
) -> tuple[Decision | None, list[tuple[str, str]]]:
    """Return the decision on a step, if there is one; else who is asked: (user id, name) each.

    Raises
    ------
    NotApproved
        If nobody may answer, or the proposal is no longer what the answer would be about.
    """
    ledger = Ledger.open()
    if earlier := decided(ledger, spec, proposal, step):
        return earlier, []
    asked = still_stands(ledger, spec, proposal)
    return None, _whom_to_ask(spec, asked.proposer)


def _whom_to_ask(spec: ModelSpec, proposer: str) -> list[tuple[str, str]]:
    users = answers.may_answer(spec, proposer)
    if not spec.owner.users:
        raise NotApproved(f"owner.approvers of {spec.model} is empty: nobody can approve; name one")
    if not users:
        raise NotApproved(
            f"{proposer} is the only approver of {spec.model} and cannot approve what they "
            "propose; let somebody else start it, or name another approver"
        )
    return users


def decide(
    spec: ModelSpec, proposal: str, step: str, response: Mapping[str, Any] | None
) -> Decision:
    """Record what a person answered to one step, or that the spec lets it pass without.

    The first decision on a step stands: whoever comes later, with whatever answer, gets that one.
    It is recorded with the evidence as the ledger has it, which is what the brief showed. Where the
    spec lets a promotion pass without a person, one that learnt from rows with a data fault is
    refused. Once the proposal has ended, that end is returned and nothing is recorded. That nobody
    answered while the model was frozen is no refusal: the proposal ends, and the latch does not
    rest.

    Parameters
    ----------
    response
        As `answer_of` takes it.

    Raises
    ------
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """
    ledger = Ledger.open()
    verification.require(ledger, spec.model)
    known = status.read(spec, ledger)
    if earlier := decided(ledger, spec, proposal, step) or ended(known, proposal):
        return earlier
    asked = proposal_of(known, proposal)
    shown = evidence_of(known, proposal, step)
    answer, by, comment = answers.answer_of(spec, asked, step, response)
    if (step, by) == ("promote", POLICY) and (faults := data_faults(known, asked)):
        answer, comment = "rejected", _not_by_policy(faults)
    elif answer == "approved":
        why = questions.unasked(spec, ledger, proposal, step, shown, by)
        answer, comment = ("invalid", why) if why else (answer, comment)
    elif answer == "no_answer" and known.frozen:
        answer, comment = "ended", f"{comment} in time; {freeze_told(known.frozen)}"
    decision = Decision(
        model=spec.model,
        proposal=proposal,
        step=step,
        answer=answer,
        by=by,
        comment=comment,
        evidence=shown,
        effective_from=known.decided_at(asked),
    )
    try:
        decision = ledger.decide(decision)
    except Conflict:  # somebody was first, just now
        decision = next(d for d in ledger.decisions(spec.model) if _is_on(d, proposal, step))
    heads.keep(spec.model, ledger)
    return decision


def _not_by_policy(faults: list[DataFault]) -> str:
    """Return why what learnt from broken rows becomes champion by no policy, and the way out."""
    told = "; ".join(
        f"{fault.name}: {fault.newest.finding}, {fault.where} ({fault.newest.advice})"
        for fault in faults
    )
    return (
        "not promoted without a person, as the rows that made it hold a data fault, "
        f"{told}. If the world is so now, write approval.promote: human and propose again: who is "
        "asked may approve it"
    )


def decided(ledger: Ledger, spec: ModelSpec, proposal: str, step: str) -> Decision | None:
    """Return the decision on a step; None while there is none."""
    return next((d for d in ledger.decisions(spec.model) if _is_on(d, proposal, step)), None)


def _is_on(decision: Decision, proposal: str, step: str) -> bool:
    return (decision.proposal, decision.step) == (proposal, step)


def evidence_of(known: status.Status, proposal: str, step: str) -> str:
    """Return the digest of what an answer to this step is about, as the ledger has it now."""
    asked = proposal_of(known, proposal)
    if step != "promote":
        return evidence.of_proposal(known.spec, asked)
    said = [d.evidence for d in known.decisions if _is_on(d, proposal, "shadow")]
    return evidence.of_candidate(known.spec, asked, candidate_of(known, proposal), said)


def approved(
    spec: ModelSpec, ledger: Ledger, proposal: str, step: str, again: str = ""
) -> Proposal:
    """Return the proposal, if its step was approved and nothing since speaks against it.

    A refusal by the step `again` does not count: it is that step which runs once more.
    """
    verification.require(ledger, spec.model)
    asked = still_stands(ledger, spec, proposal, again)
    decision_on(ledger, spec, proposal, step)
    return asked


def decision_on(ledger: Ledger, spec: ModelSpec, proposal: str, step: str) -> Decision:
    """Return the decision on a step. Raises NotApproved if there is none."""
    decision = decided(ledger, spec, proposal, step)
    if decision is None:
        raise NotApproved(f"{proposal}: nobody has decided on {step} yet")
    return decision

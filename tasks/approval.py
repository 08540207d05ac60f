"""Who proposes and who decides: proposals, the questions about them, and the recorded answers.

Every later step looks the decision up in the ledger before it acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from tasks import brief, evidence, status
from tasks.ledger import Ledger
from tasks.records import Candidate, Decision, Proposal
from tasks.spec import ModelSpec
from tasks.windows import latest_complete

PROPOSER = "gatelatch"  # who proposes for an episode


class NotApproved(Exception):
    """A step was asked to act without the recorded decision that allows it."""


def propose(
    spec: ModelSpec,
    proposal: str,
    *,
    reason: str,
    proposer: str,
    training_window: timedelta | None,
    until: datetime | None,
    now: datetime,
) -> Proposal:
    """Append the proposal; run again, return the first one unchanged.

    It belongs to the open episode, and nobody in particular proposed it, if it is exactly what the
    monitor would propose: the ledger waits for this name, and the rows are the spec's. Else it is
    the `proposer`'s own.

    `until` (event time) defaults to the end of the newest observed window, and where nothing was
    observed yet, of the newest complete one.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    usual = until is None and training_window in (None, spec.training.window)
    if until is None:
        ends = [o.window_end for o in known.observations]
        until = max(ends) if ends else latest_complete(spec.window, now).end
    start = until - (training_window or spec.training.window)
    episode = None
    if usual and known.due == proposal:
        proposer, episode = PROPOSER, known.history.now.episode
    if {identity for identity, _ in spec.owner.users} == {proposer} and spec.approval.asks:
        raise NotApproved(
            f"{proposer} is the only approver of {spec.model} and cannot approve what they "
            "propose; let somebody else start it, or name another approver"
        )
    return ledger.propose(
        Proposal(
            spec.model,
            proposal,
            "retrain",
            reason,
            episode,
            known.champion,
            start,
            until,
            proposer,
            spec.digest,
        )
    )


def ask_to_retrain(spec: ModelSpec, proposal: Proposal, run_link: str) -> dict[str, str]:
    """Write the brief for the retrain approval; return its subject, body, address and evidence."""
    text = brief.retrain(status.read(spec, Ledger.open()), proposal, run_link)
    return brief.publish(
        spec.model, proposal.proposal, "retrain", text, evidence.digest(asdict(proposal))
    )


def ask_to_promote(spec: ModelSpec, proposal: str, run_link: str) -> dict[str, str]:
    """Write the brief for the promotion approval; return subject, body, address and evidence."""
    known = status.read(spec, Ledger.open())
    candidate = candidate_of(known, proposal)
    text = brief.promotion(known, candidate, run_link)
    return brief.publish(spec.model, proposal, "promotion", text, candidate.evidence)


def decide(
    spec: ModelSpec, proposal: str, step: str, response: Mapping[str, Any] | None, shown: str
) -> Decision:
    """Record what a person answered to one step, or that the spec lets it pass without.

    Parameters
    ----------
    response
        What Airflow's approval returned; not looked at where the spec says `automatic`.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    asked = next(p for p in known.proposals if p.proposal == proposal)
    answer, by, comment = _answer(spec, asked, step, response)
    return ledger.decide(
        Decision(
            spec.model,
            proposal,
            step,
            answer,
            by,
            comment,
            shown,
            known.effective_from(asked.trained_until),
        )
    )


def _answer(
    spec: ModelSpec, proposal: Proposal, step: str, response: Mapping[str, Any] | None
) -> tuple[str, str, str]:
    if getattr(spec.approval, step) == "automatic":
        return "approved", "policy", "the spec says automatic"
    # A task that was marked as done by hand returned nothing, and nothing is no answer.
    response = response or {}
    user = response.get("responded_by_user")
    comment = str((response.get("params_input") or {}).get("comment") or "")
    if not user:
        return "no_answer", "nobody", "nobody answered"
    by = str(user.get("name") or user.get("id"))
    if {str(user.get("id")), by}.isdisjoint(identity for identity, _ in spec.owner.users):
        return "invalid", by, f"{by} is not in owner.approvers"
    if by == proposal.proposer:
        return "invalid", by, f"{by} proposed this and cannot approve it"
    chosen = response.get("chosen_options") == ["Approve"]
    return "approved" if chosen else "rejected", by, comment


def withdraw(spec: ModelSpec, proposal: str, by: str, reason: str) -> Decision:
    """End a live proposal by hand. Raises NotApproved if there is no such one."""
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    found = [p for p in known.live if p.proposal == proposal]
    if not found:
        live = ", ".join(p.proposal for p in known.live) or "none"
        raise NotApproved(f"{spec.model} has no live proposal {proposal!r}; live: {live}")
    since = known.effective_from(found[0].trained_until)
    return ledger.decide(
        Decision(spec.model, proposal, "withdraw", "withdrawn", by, reason, "", since)
    )


def approved(
    spec: ModelSpec, ledger: Ledger, proposal: str, step: str, again: str = ""
) -> Proposal:
    """Return the proposal, if its step was approved and nothing since speaks against it.

    A refusal by the step `again` does not count: it is that step which runs once more.
    """
    asked = proposal_named(ledger, spec, proposal)
    decision_on(ledger, spec, proposal, step, again)
    if asked.spec_digest != spec.digest:
        raise NotApproved(
            f"{proposal}: the spec of {spec.model} has changed since it was proposed; withdraw it "
            "and propose again"
        )
    return asked


def decision_on(
    ledger: Ledger, spec: ModelSpec, proposal: str, step: str, again: str = ""
) -> Decision:
    mine = [d for d in ledger.decisions(spec.model) if d.proposal == proposal]
    for decision in mine:
        if decision.answer in status.REFUSALS and decision.step != again:
            said = f"{decision.step} was {decision.answer} by {decision.by}"
            raise NotApproved(f"{proposal}: {said}; nothing more comes of it")
    for decision in mine:
        if decision.step == step:
            return decision
    raise NotApproved(f"{proposal}: nobody has decided on {step} yet")


def proposal_named(ledger: Ledger, spec: ModelSpec, proposal: str) -> Proposal:
    return next(p for p in ledger.proposals(spec.model) if p.proposal == proposal)


def candidate_of(known: status.Status, proposal: str) -> Candidate:
    return next(c for c in known.candidates if c.proposal == proposal)

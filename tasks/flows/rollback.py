"""What the rollback DAG does: propose, verify the target, then promote backwards."""

from __future__ import annotations

from tasks import bounds
from tasks.audit import verification
from tasks.audit.verified_model import model_of
from tasks.drift.episode import Numbered
from tasks.errors import Final
from tasks.ledger import evidence, status
from tasks.ledger.freezes import require_thawed
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import POLICY, PROPOSER, Decision, Observation, Promotion, Proposal
from tasks.ledger.status import Status
from tasks.promotion import canary, decisions, proposals, questions, ramping, returning
from tasks.promotion.answers import visible
from tasks.promotion.canary import KIND
from tasks.promotion.promotion import settle
from tasks.promotion.proposals import NotApproved, NotDue
from tasks.reports import brief_page, rollback_brief
from tasks.spec.model import ModelSpec

ROLLBACK_STEP = "rollback"


class RollbackError(Final):
    """A rollback that cannot be done: says why, and the way out."""


def rollback_due(known: Status) -> canary.Worse | None:
    """Return the rollback that the ledger's observations ask for; None if they ask for none.

    To a version that still serves beside the champion, or to an earlier champion that is the better
    one again.
    """

    # Nobody goes back on what was before the newest promotion.
    since = known.promotions[-1].effective_from if known.promotions else None

    def seen(version: int) -> list[Observation]:
        return Ledger.open().observations_of(known.spec.model, version, since)

    serving = (
        canary.canary_due(known, seen) if known.spec.source.version_column is not None else None
    )
    return serving or returning.return_due(known, seen)


def target(spec: ModelSpec, version: int | None) -> tuple[int, int]:
    """Return (champion, version to go back to) after the target could be loaded.

    Parameters
    ----------
    version
        None means the version that was champion before.

    Raises
    ------
    RollbackError
        If there is no such earlier champion.
    tasks.registry.tracking.RegistryRefused
        If its model cannot be loaded safely.
    """
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    if known.champion is None:
        raise RollbackError(f"{spec.model} has no champion yet; there is nothing to roll back")
    wanted = known.promotions[-1].expected if version is None else version
    reigned = {p.version for p in known.promotions} - {known.champion}
    if wanted not in reigned:
        there = ", ".join(map(str, sorted(reigned))) or "none"
        asked = "an earlier champion" if wanted is None else f"version {wanted}"
        raise RollbackError(f"{spec.model} cannot go back to {asked}; earlier champions: {there}")
    model_of(spec, ledger, wanted)
    return known.champion, wanted


def propose_rollback(spec: ModelSpec, proposal: str) -> Proposal:
    """Append the rollback that the monitor proposes, after its target could be loaded, once.

    Its number may be higher than the next one: somebody else may have taken that run id.

    Raises
    ------
    NotDue
        If no rollback of this name is due any more.
    tasks.ledger.freezes.Frozen
        If the model is frozen.
    tasks.registry.tracking.RegistryRefused
        If the target's model cannot be loaded safely.
    """
    ledger = Ledger.open()
    if earlier := _named(spec, ledger, proposal):
        return earlier
    require_thawed(ledger.freezes(spec.model))
    found = rollback_due(status.read(spec, ledger))
    asked = Numbered.parse(proposal)
    if found is None or found.silence or asked is None or found.episode != asked.episode:
        raise NotDue(f"{spec.model}: no rollback named {proposal} is due any more")
    target(spec, found.target)
    return ledger.propose(
        Proposal(
            model=spec.model,
            proposal=proposal,
            kind=KIND,
            reason=found.reason,
            episode=found.episode,
            champion=found.champion,
            trained_from=found.compared[0].window.start,
            trained_until=found.compared[-1].window.end,
            proposer=PROPOSER,
            spec_digest=spec.digest,
            target=found.target,
        )
    )


def by_hand(
    spec: ModelSpec,
    proposal: str,
    *,
    version: int | None,
    by: str,
    reason: str,
    expected: int | None = None,
) -> Proposal:
    """Append a rollback that a person asks for, and with it their decision, once; frozen or not.

    Parameters
    ----------
    version, expected
        As `target` takes and returns them; None takes the champion as it is.

    Raises
    ------
    RollbackError
        As `target`; if the champion is not `expected`; if the name is that of another proposal, or
        like the monitor's; if no reason is given.
    tasks.registry.tracking.RegistryRefused
        If the target's model cannot be loaded safely.
    tasks.bounds.OutOfBounds
        If the ledger cannot hold a name, the reason or the version.
    """
    bounds.name(proposal, "the run id")
    bounds.name(by, "who decides")
    bounds.prose(reason)
    if version is not None:
        bounds.version(version)
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    if not visible(reason):
        raise RollbackError("say why: the reason is kept in the ledger")
    row = _named(spec, ledger, proposal)
    if row is None and not proposals.reserved(spec, proposal):
        champion, wanted = target(spec, version)
        if expected not in (None, champion):
            raise RollbackError(f"the champion of {spec.model} is version {champion} by now")
        since = known.promotions[-1].effective_from
        until = known.effective_from(since)
        row = ledger.propose(
            Proposal(
                model=spec.model,
                proposal=proposal,
                kind=KIND,
                reason=reason,
                episode=None,
                champion=champion,
                trained_from=since,
                trained_until=until,
                proposer=by,
                spec_digest=spec.digest,
                target=wanted,
            )
        )
    if row is None or (row.proposer, row.kind) != (by, KIND):
        raise RollbackError(f"{proposal} is the name of another proposal; choose a new name")
    if decisions.decided(ledger, spec, proposal, ROLLBACK_STEP) is None:
        shown, since = evidence.of_proposal(spec, row), row.trained_until
        ledger.decide(
            Decision(
                model=spec.model,
                proposal=proposal,
                step=ROLLBACK_STEP,
                answer="approved",
                by=by,
                comment=row.reason,
                evidence=shown,
                effective_from=since,
            )
        )
    return row


def ask_to_roll_back(spec: ModelSpec, proposal: Proposal, run_link: str) -> dict[str, str]:
    """Write the brief for the rollback approval; return its subject, body, address, evidence.

    Of a rollback by hand there is no brief, as nobody else is asked. A canary goes back by itself,
    as whoever approved the promotion was told: that is decided here, and nobody is asked.
    """
    if proposal.proposer != PROPOSER:
        return {"subject": "by hand", "body": proposal.reason}
    ledger = Ledger.open()
    new, old = (
        ledger.observations_of(spec.model, version or 0)
        for version in (proposal.champion, proposal.target)
    )
    known = status.read(spec, ledger)
    text = rollback_brief.ask_for_rollback(known, proposal, new, old, run_link)
    alone = _goes_back_alone(known, ledger, proposal)
    question = questions.ask(spec, ledger, proposal.proposal, ROLLBACK_STEP, by_policy=alone)
    if alone and decisions.decided(ledger, spec, proposal.proposal, ROLLBACK_STEP) is None:
        ledger.decide(
            Decision(
                model=spec.model,
                proposal=proposal.proposal,
                step=ROLLBACK_STEP,
                answer="approved",
                by=POLICY,
                comment="a canary that is worse goes back by itself",
                evidence=question.evidence,
                effective_from=known.decided_at(proposal),
            )
        )
    return brief_page.publish_brief(ledger, question, KIND, text)


def _goes_back_alone(known: Status, ledger: Ledger, proposal: Proposal) -> bool:
    """Return whether a rollback ends a canary that is not over."""
    ramp = ramping.ramp_read(known, ledger)
    if ramp is None or ramp.over is not None:
        return False
    return (proposal.champion, proposal.target) == (ramp.champion, ramp.earlier)


def promote_back(spec: ModelSpec, proposal: str) -> Promotion:
    """Make an earlier champion champion again, with its own reference; compare-and-set.

    Raises
    ------
    NotApproved
        If nobody approved exactly this rollback.
    tasks.ledger.ledger.Conflict
        If the champion is no longer the one that it was asked for.
    tasks.ledger.freezes.Frozen
        If the model is frozen, and the monitor proposed it.
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """
    ledger = Ledger.open()
    proposals.require_not_held(ledger, proposals.still_stands(ledger, spec, proposal))
    verification.require(ledger, spec.model, whole=True)
    known = status.read(spec, ledger)
    asked = decisions.approved(spec, ledger, proposal, ROLLBACK_STEP)
    decision = decisions.decision_on(ledger, spec, proposal, ROLLBACK_STEP)
    if asked.kind != KIND or asked.target is None or decision.answer != "approved":
        raise NotApproved(f"{proposal}: no rollback was approved under this name")
    if decision.evidence != evidence.of_proposal(spec, asked):
        raise NotApproved(f"{proposal}: {decision.by} approved another rollback; propose again")
    promotion = ledger.promote(
        spec.model,
        proposal,
        version=asked.target,
        expected=asked.champion,
        effective_from=known.effective_from(known.promotions[-1].effective_from),
        by=decision.by,
        reason=f"rollback: {asked.reason}",
    )
    settle(spec, ledger)
    return promotion


def _named(spec: ModelSpec, ledger: Ledger, proposal: str) -> Proposal | None:
    return next((p for p in ledger.proposals(spec.model) if p.proposal == proposal), None)

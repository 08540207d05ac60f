"""A canary as the ledger has it, and how it ends: it held, or an approver skips what is left."""

from __future__ import annotations

from datetime import datetime

from tasks import bounds
from tasks.audit import heads, verification
from tasks.ledger import evidence, status
from tasks.ledger.conflicts import Conflict
from tasks.ledger.freezes import require_thawed
from tasks.ledger.ledger import Ledger
from tasks.ledger.reader import LedgerReader
from tasks.ledger.records import POLICY, Decision, Observation
from tasks.ledger.status import Status
from tasks.promotion.answers import visible
from tasks.promotion.proposals import NotApproved, proposal_of
from tasks.promotion.ramp import CANARY_STEP, Ramp, decided_on, ramp_at
from tasks.spec.model import ModelSpec


def ramp_read(known: Status, ledger: LedgerReader, moment: datetime | None = None) -> Ramp | None:
    """Return the canary of the champion of a moment, as the ledger has it; see `ramp_at`.

    While the model is frozen, what was recorded since is left out, so that no share grows.
    """
    model, freeze = known.spec.model, known.frozen

    def observed(version: int, since: datetime) -> list[Observation]:
        seen = ledger.observations_of(model, version, since)
        if freeze is None:
            return seen
        times = ledger.recorded(model)
        at = ((o, times.first(o)) for o in seen)
        return [o for o, when in at if when is not None and when < freeze.recorded_at]

    return ramp_at(known, observed, moment)


def record_passed(known: Status, ledger: Ledger) -> Ramp | None:
    """Return the champion's canary; if it is over and the ledger does not say so, record it."""
    ramp = ramp_read(known, ledger)
    if ramp is not None and ramp.over and decided_on(known.decisions, ramp.promotion) is None:
        verification.require(ledger, known.spec.model)
        _decide(known, ledger, ramp, "passed", CANARY_STEP, ramp.over)
    return ramp


def skip_canary(spec: ModelSpec, *, by: str, reason: str) -> Decision:
    """Give the champion all of the keys from the next window that is scored on.

    Only those may who were asked to promote it; where the spec let that pass without a person,
    those of `owner.approvers`.

    Raises
    ------
    NotApproved
        If there is no canary to skip, if `by` may not, or if no reason is given.
    tasks.ledger.freezes.Frozen
        If the model is frozen.
    tasks.bounds.OutOfBounds
        If the ledger cannot hold who skips it, or why.
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """
    bounds.name(by, "who skips it")
    bounds.prose(reason)
    if not visible(reason):
        raise NotApproved("say why it is skipped; the reason is kept in the ledger")
    ledger = Ledger.open()
    verification.require(ledger, spec.model)
    known = status.read(spec, ledger)
    ramp = ramp_read(known, ledger)
    if ramp is None:
        raise NotApproved(
            f"{spec.model} has no canary to skip: no champion of it scores a share of the keys"
        )
    if ramp.over is not None:
        raise NotApproved(f"nothing is left to skip: {ramp.told}")
    require_thawed(ledger.freezes(spec.model))
    asked = [
        q.asked
        for q in ledger.questions(spec.model)
        if (q.proposal, q.step) == (ramp.promotion.proposal, "promote")
    ]
    may = (
        [*spec.owner.users] if ramp.promotion.by == POLICY else [u for some in asked for u in some]
    )
    if not any(by in user for user in may):
        names = ", ".join(sorted({user[-1] for user in may})) or "nobody"
        raise NotApproved(
            f"{by} may not skip the canary of {spec.model} version {ramp.champion}: that is for "
            f"those who decide on its promotion: {names}"
        )
    return _decide(known, ledger, ramp, "skipped", by, reason)


def _decide(
    known: Status, ledger: Ledger, ramp: Ramp, answer: str, by: str, comment: str
) -> Decision:
    model, proposal = known.spec.model, ramp.promotion.proposal
    stood = {"promotion": ramp.promotion.number, "rows": ramp.rows, "told": ramp.told}
    try:
        decision = ledger.decide(
            Decision(
                model=model,
                proposal=proposal,
                step=CANARY_STEP,
                answer=answer,
                by=by,
                comment=comment,
                evidence=evidence.digest(stood),
                effective_from=known.decided_at(proposal_of(known, proposal)),
            )
        )
    except Conflict:  # somebody was first, just now
        found = decided_on(ledger.decisions(model), ramp.promotion)
        assert found is not None
        return found
    heads.keep(model, ledger)
    return decision

"""Who proposes what: the proposal as it is made, as it stands, and as it is withdrawn."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, TypeVar

from tasks import bounds
from tasks.data.newest import newest_row
from tasks.drift.episode import Numbered, breach_of
from tasks.errors import Final
from tasks.ledger import status
from tasks.ledger.freezes import asked_by_hand, require_thawed
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import PROPOSER, Candidate, Decision, Proposal
from tasks.promotion import answers
from tasks.promotion.proposal_reason import FILE, ProposalReason
from tasks.spec.model import ModelSpec
from tasks.spec.windows import latest_complete, window_at

Action: TypeAlias = Literal["retrain", "recalibrate", "adopt"]

_Row = TypeVar("_Row", Proposal, Candidate)


class NotApproved(Final):
    """A step was asked to act without the recorded decision that allows it."""


class NotDue(Final):
    """The monitor asked for a proposal that the ledger does not wait for any more."""


def propose(
    spec: ModelSpec,
    proposal: str,
    *,
    reason: str,
    proposer: str,
    training_window: timedelta | None,
    until: datetime | None,
    now: datetime,
    action: Action = "retrain",
    by_monitor: bool = False,
) -> Proposal:
    """Append the proposal, or return the first one unchanged if this runs again.

    A proposal of the monitor belongs to the open episode and takes the spec's rows. Its proposer is
    nobody, or the person named in `approval.proposer`. A person's proposal belongs to no episode.
    Only the monitor may use the monitor's names.

    A recalibration takes the newest rows only, see `_unseen`. To adopt, the reason names the file;
    its rows calibrate and judge.

    `until` (event time) defaults to the end of the newest observed window, and where nothing was
    observed yet, of the newest complete one that holds a row.

    Raises
    ------
    NotApproved
        If nothing can be asked under this name or about these rows.
    NotDue
        If the monitor asked for it, and the ledger does not wait for it any more.
    tasks.ledger.freezes.Frozen
        If the model is frozen.
    tasks.bounds.OutOfBounds
        If such rows cannot be, or the ledger cannot hold a name or reason.
    """
    bounds.name(proposal, "the run id")
    bounds.name(proposer, "who proposes")
    bounds.prose(reason)
    _need_file(action, ProposalReason.parse(reason).file, spec.model)
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    if earlier := next((p for p in known.proposals if p.proposal == proposal), None):
        return earlier
    require_thawed(ledger.freezes(spec.model))  # the ledger asks again as it writes
    episode = None
    if by_monitor:
        episode = _waits_for(known, proposal, action)
        proposer = spec.approval.proposer or PROPOSER
        training_window = until = None
    elif reserved(spec, proposal):
        raise NotApproved(
            f"{proposal}: only the monitor may use a name that begins with {spec.model}.v and a "
            "number; trigger again and leave the run id empty"
        )
    until = _until(known, until, now)
    span = spec.training.window if training_window is None else training_window
    span = bounds.duration(span, "training_window", bounds.SHORTEST)
    start = bounds.shifted(until, -span)
    if action == "recalibrate":
        start = _unseen(known, until, span, episode)
    return ledger.propose(
        Proposal(
            model=spec.model,
            proposal=proposal,
            kind=action,
            reason=reason,
            episode=episode,
            champion=known.champion,
            trained_from=start,
            trained_until=until,
            proposer=proposer,
            spec_digest=spec.digest,
        )
    )


def _need_file(action: Action, file: str | None, model: str) -> None:
    """Raise NotApproved unless there is a file to adopt just where something is to be adopted."""
    if action == "adopt" and (file is None or not re.fullmatch(FILE, file)):
        raise NotApproved(
            f"model_file has to be the digest, 64 hex digits, that `python -m tasks adopt {model} "
            "FILE` printed"
        )
    if action != "adopt" and file is not None:
        raise NotApproved(f"model_file is for the action adopt, not for {action}; leave it empty")


def reserved(spec: ModelSpec, proposal: str) -> bool:
    """Return whether a name is one that the monitor gives to what it proposes."""
    return re.match(rf"{re.escape(spec.model)}\.v\d", proposal) is not None


def _waits_for(known: status.Status, proposal: str, action: Action) -> str:
    """Return the episode that waits for a proposal of this name.

    Its number may be higher than the next one: somebody else may have taken that run id.
    """
    asked, due = Numbered.parse(proposal), Numbered.parse(known.due)
    if asked is None or due is None or asked.episode != due.episode or asked.asks != action:
        raise NotDue(f"{proposal}: the ledger does not wait for it any more; nobody is asked")
    if asked.number < due.number:
        raise NotDue(f"{proposal}: this number is past; the ledger waits for {due}")
    return asked.episode


def _until(known: status.Status, until: datetime | None, now: datetime) -> datetime:
    """Return the end of the rows to train on: as asked, else of the newest there are."""
    spec, newest = known.spec, latest_complete(known.spec.window, now).end
    if until is not None:
        until = bounds.moment(until, "until")
        if until > now:
            raise NotApproved(
                f"until {until:%Y-%m-%d %H:%M} UTC lies in the future, so its rows are not there "
                f"yet; the newest complete window ends at {newest:%Y-%m-%d %H:%M} UTC"
            )
        return until
    if known.observed_until:
        return known.observed_until
    row = newest_row(spec, newest)
    if row is None:
        raise NotApproved(
            f"{spec.source} holds no row before {newest:%Y-%m-%d %H:%M} UTC: nothing to train on; "
            "land the rows, or correct `source` and the column `source.time`"
        )
    return min(window_at(spec.window, row).end, newest)


def _unseen(
    known: status.Status, until: datetime, span: timedelta, episode: str | None
) -> datetime:
    """Return the start of the rows to recalibrate on, which end at `until`.

    As much time as a retrain would calibrate and judge on, but no row that the champion was made
    of, and of an episode none before its first breach: those are what no longer holds. It is
    `until` where there is none; `ready` then says so.
    """
    champion = known.candidate(known.champion)
    if champion is None:
        raise NotApproved(f"{known.spec.model} has no champion to recalibrate; retrain first")
    held_out = known.spec.calibration.share + known.spec.training.judge
    start = max(bounds.shifted(until, -held_out * span), champion.trained_until)
    if episode:
        breach = breach_of(episode)
        seen = (o.window_start for o in known.observations if o.window_start == breach)
        start = max([start, *seen])
    return min(start, until)


def ended(known: status.Status, proposal: str) -> Decision | None:
    """Return the decision that ended a proposal; None if none has."""
    ends = (d for d in known.decisions if d.proposal == proposal and d.answer in status.ENDS)
    return next(ends, None)


def withdraw(spec: ModelSpec, proposal: str, by: str, reason: str) -> Decision:
    """End a live proposal by hand.

    Raises
    ------
    NotApproved
        If there is no such one.
    tasks.bounds.OutOfBounds
        If the ledger cannot hold who withdraws it, or why.
    """
    bounds.name(by, "who withdraws it")
    bounds.prose(reason)
    ledger = Ledger.open()
    known = status.read(spec, ledger)
    found = [p for p in known.live if p.proposal == proposal]
    if not found:
        live = ", ".join(p.proposal for p in known.live) or "none"
        raise NotApproved(f"{spec.model} has no live proposal {proposal!r}; live: {live}")
    if not answers.visible(reason):
        raise NotApproved(f"{proposal}: say why it is withdrawn; the reason is kept in the ledger")
    since = known.decided_at(found[0])
    return ledger.decide(
        Decision(
            model=spec.model,
            proposal=proposal,
            step="withdraw",
            answer="withdrawn",
            by=by,
            comment=reason,
            evidence="",
            effective_from=since,
        )
    )


def still_stands(ledger: Ledger, spec: ModelSpec, proposal: str, again: str = "") -> Proposal:
    """Return the proposal, if nothing refused it and the spec is the one it was made with."""
    for decision in ledger.decisions(spec.model):
        refused = decision.proposal == proposal and decision.answer in status.ENDS
        if refused and decision.step != again:
            said = f"{decision.step} was {decision.answer} by {decision.by}"
            why = f" ({decision.comment})" if decision.comment else ""
            raise NotApproved(f"{proposal}: {said}{why}, so it cannot go on; propose again")
    asked = proposal_named(ledger, spec, proposal)
    if asked.spec_digest != spec.digest:
        raise NotApproved(
            f"{proposal}: the spec of {spec.model} has changed since it was proposed; withdraw it "
            "and propose again"
        )
    return asked


def require_not_held(ledger: Ledger, asked: Proposal) -> None:
    """Raise Frozen if a freeze holds what a proposal asks for."""
    if not asked_by_hand(asked.kind, asked.proposer):
        require_thawed(ledger.freezes(asked.model))


def proposal_named(ledger: Ledger, spec: ModelSpec, proposal: str) -> Proposal:
    return _found(ledger.proposals(spec.model), proposal, "proposal")


def proposal_of(known: status.Status, proposal: str) -> Proposal:
    return _found(known.proposals, proposal, "proposal")


def candidate_of(known: status.Status, proposal: str) -> Candidate:
    return _found(known.candidates, proposal, "candidate of a proposal")


def _found(rows: Iterable[_Row], proposal: str, what: str) -> _Row:
    """Return the row of a proposal; which one is asked about may come from anybody."""
    for row in rows:
        if row.proposal == proposal:
            return row
    raise NotApproved(f"the ledger has no {what} {proposal[: bounds.NAME]!r}; look at `status`")

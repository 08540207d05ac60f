"""What people are asked, and how far the time for their answer has gone, as events. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from tasks.bounds import shifted
from tasks.ledger.records import POLICY, Proposal, Question
from tasks.ledger.status import Status
from tasks.notices.events import ModelFacts, NoticeEvent, event_key
from tasks.notices.wording import answer_link, first_lines, moment_told
from tasks.spec.notify_options import Severity

_TENTH = 0.9  # of the time for an answer is gone when a tenth of it is left


def question_events(facts: ModelFacts, now: datetime) -> Iterator[NoticeEvent]:
    """Yield the questions that wait for an answer, each at the stage that its time is at.

    While a freeze holds the model nobody is reminded: nothing is lost by waiting.
    """
    known = facts.status
    decided = {(d.proposal, d.step) for d in known.decisions}
    live = {p.proposal: p for p in known.live}
    asked = {(q.proposal, q.step): q for q in facts.recorded.questions}  # the newest evidence
    for at, question in asked.items():
        proposal, since = live.get(question.proposal), facts.recorded.asked.get(at)
        people = [name for _, name in question.asked if name != POLICY]
        if proposal is None or since is None or not people or at in decided:
            continue
        timeout = known.spec.approval.timeout
        until = shifted(since, timeout)
        if now < until:
            gone = timedelta(0) if known.frozen else now - since
            stage = _stage(proposal, question, gone, timeout)
            yield NoticeEvent(
                key=event_key(stage.key, question.proposal, question.step),
                severity=stage.severity,
                since=max(since, shifted(since, timeout * stage.share)),
                subject=f"{facts.model}: {stage.subject}",
                link=answer_link(proposal),
                more=partial(_of_question, known, proposal, question.step, people, until),
                asks=True,
                goes_on=True,
            )


@dataclass(frozen=True)
class _Stage:
    """How far the time for an answer has gone: by which share, and how that is told."""

    key: str
    share: float
    severity: Severity
    subject: str


def _stage(proposal: Proposal, question: Question, gone: timedelta, of: timedelta) -> _Stage:
    what = f"you are asked to {what_is_asked(proposal, question.step)}"
    if gone >= of * _TENTH:
        return _Stage("last_tenth", _TENTH, "page", f"{what}, and time is nearly over")
    if gone >= of / 2:
        return _Stage("half_time", 0.5, "ticket", f"{what} still, half of the time is over")
    return _Stage("waiting", 0.0, "ticket", what)


def what_is_asked(proposal: Proposal, step: str) -> str:
    """Return what people are asked to do in a step of a proposal."""
    if proposal.kind == "rollback":
        return f"roll back to version {proposal.target}"
    if step == "promote":
        return "promote a candidate"
    if proposal.kind == "recalibrate":
        return "recalibrate"
    if proposal.kind == "adopt":
        return "take a model that was trained elsewhere as a candidate"
    return "retrain" if proposal.champion else "train the first champion"


def _of_question(
    known: Status, proposal: Proposal, step: str, people: Sequence[str], until: datetime
) -> list[str]:
    shown = ", ".join(people)
    asked = f"Who may answer: {shown}. Until {moment_told(until)}; then it counts as no answer."
    return [*first_lines(known, proposal, step), asked]

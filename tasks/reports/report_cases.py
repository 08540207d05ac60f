"""The proposals of a period, each with all that was asked, answered and made for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.audit.stamps import Stamp, stamped
from tasks.drift.class_spread import QUANTITIES
from tasks.ledger.chain import Trail
from tasks.ledger.records import (
    ENDS,
    Candidate,
    Decision,
    Observation,
    Promotion,
    Proposal,
    Question,
)
from tasks.ledger.status import Status
from tasks.reports.recalibration_brief import nearest
from tasks.reports.report_period import Period
from tasks.reports.statistic_rows import StatisticRow, statistic_row

_CLASSES = 6  # of which a case shows statistics, those nearest to their limits


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One step of a proposal: whom it was put to, and what was decided; None: nobody answered yet.

    `waited` is the wall clock from the first question to the decision.
    """

    step: str
    people: Sequence[str]
    asked: Stamp | None
    decision: Decision | None
    decided: Stamp | None
    shown: str
    waited: timedelta | None


@dataclass(frozen=True, kw_only=True)
class Case:
    """A proposal with its answers, and what the ledger knew when it was made.

    `window` is the newest judged window up to the end of its rows, `rows` its statistics.
    """

    proposal: Proposal
    made: Stamp | None
    outcome: str
    answers: Sequence[Answer]
    candidate: Candidate | None
    promotion: Promotion | None
    window: Observation | None
    rows: Sequence[StatisticRow]


def cases_of(known: Status, trail: Trail, period: Period) -> list[Case]:
    """Return the proposals of which anything falls into a period, oldest first."""
    made = {p.proposal: stamp for p, stamp in stamped(trail, "proposals", Proposal)}
    asked = stamped(trail, "questions", Question)
    decided = {(d.proposal, d.step): s for d, s in stamped(trail, "decisions", Decision)}
    moments = _moments(known)
    return [
        Case(
            proposal=one,
            made=made.get(one.proposal),
            outcome=_outcome(known, one),
            answers=_answers(known, one, asked, decided),
            candidate=next((c for c in known.candidates if c.proposal == one.proposal), None),
            promotion=next((p for p in known.promotions if p.proposal == one.proposal), None),
            window=(window := _window(known, one)),
            rows=_statistics(window),
        )
        for one in known.proposals
        if any(period.holds(moment) for moment in moments[one.proposal])
    ]


def _moments(known: Status) -> Mapping[str, list[datetime]]:
    """Return of each proposal when, in event time, anything of it applies."""
    found = {p.proposal: [p.trained_until] for p in known.proposals}
    later = [(d.proposal, d.effective_from) for d in known.decisions]
    later += [(p.proposal, p.effective_from) for p in known.promotions]
    for proposal, moment in later:
        found.setdefault(proposal, []).append(moment)
    return found


def _outcome(known: Status, proposal: Proposal) -> str:
    mine = [d for d in known.decisions if d.proposal == proposal.proposal]
    if any(p.proposal == proposal.proposal for p in known.promotions):
        return "promoted"
    return next((d.answer.replace("_", " ") for d in mine if d.answer in ENDS), "open")


def _answers(
    known: Status,
    proposal: Proposal,
    asked: Iterable[tuple[Question, Stamp]],
    decided: Mapping[tuple[str, str], Stamp],
) -> list[Answer]:
    name = proposal.proposal
    questions = [(q, s) for q, s in asked if q.proposal == name]
    decisions = {d.step: d for d in known.decisions if d.proposal == name}
    steps = dict.fromkeys([*(q.step for q, _ in questions), *decisions])
    found = []
    for step in steps:
        put = [(q, s) for q, s in questions if q.step == step]
        people = dict.fromkeys(user[-1] for q, _ in put for user in q.asked)
        first = put[0][1] if put else None
        decision, stamp = decisions.get(step), decided.get((name, step))
        found.append(
            Answer(
                step=step,
                people=list(people),
                asked=first,
                decision=decision,
                decided=stamp,
                shown=put[-1][0].evidence if put else "",
                waited=stamp.recorded_at - first.recorded_at if stamp and first else None,
            )
        )
    # In the order of writing; what nobody answered yet comes last.
    return sorted(found, key=lambda a: (a.decided is None, a.decided.position if a.decided else 0))


def _window(known: Status, proposal: Proposal) -> Observation | None:
    """Return the newest judged window that a proposal could rest on."""
    before = (o for o in reversed(known.observations) if o.window_end <= proposal.trained_until)
    return next((o for o in before if o.pressure is not None), None)


def _statistics(window: Observation | None) -> list[StatisticRow]:
    if window is None:
        return []
    near = nearest(window.numbers.statistics, len(QUANTITIES) * _CLASSES)
    return [statistic_row(s) for s in near]

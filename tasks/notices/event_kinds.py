"""What there is to tell of a model: its ledger's rows and the time, folded to events. Pure.

Each kind of event is a function from the model and the time to events. One more kind is one more
function in `EVENT_KINDS`, with its line in docs/messages.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TypeAlias

from tasks.drift.episode import breach_of
from tasks.drift.label_gap import IN_A_ROW, LabelGap
from tasks.drift.latch import LatchHistory, State
from tasks.ledger.budget import Budget, burning_since
from tasks.ledger.freezes import way_out
from tasks.ledger.records import POLICY, Decision, Freeze, Observation, Promotion, Proposal
from tasks.ledger.status import Status
from tasks.ledger.unlabelled import gap_of
from tasks.notices.events import ModelFacts, NoticeEvent, event_key
from tasks.notices.question_events import question_events, what_is_asked
from tasks.notices.wording import moment_told
from tasks.reports.brief_links import MARGINS
from tasks.spec.notify_options import Severity
from tasks.spec.windows import awaits_labels

EventKind: TypeAlias = Callable[[ModelFacts, datetime], Iterable[NoticeEvent]]


def events_of(facts: ModelFacts, now: datetime) -> list[NoticeEvent]:
    """Return all that there is to tell of a model, the oldest first; each key once.

    What asks for an answer is there only until it has one.
    """
    found = {event.key: event for kind in EVENT_KINDS for event in kind(facts, now)}
    return sorted(found.values(), key=lambda event: (event.since, event.key))


def _episodes(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    known = facts.status
    yield from _of_latch(facts, known.history, "the margins drift", _reason)
    # While the margins drift nobody is asked to recalibrate: a retrain calibrates anyway.
    if known.history.now.episode is None:
        what = "the probabilities no longer hold"
        yield from _of_latch(facts, known.calibration, what, _reason_of_probabilities)


def _reason(seen: Observation) -> str:
    return seen.reason


def _reason_of_probabilities(seen: Observation) -> str:
    held = seen.numbers.calibration
    return (held and held.reason) or seen.reason


def _of_latch(
    facts: ModelFacts, history: LatchHistory, what: str, why: Callable[[Observation], str]
) -> Iterator[NoticeEvent]:
    known = facts.status
    for episode, windows in _opened(known, history):
        at = [when for o in windows if (when := facts.first_recorded(o))]
        if not at:
            continue
        opening = windows[-1]
        state = history.now.state if history.now.episode == episode else "closed"
        yield NoticeEvent(
            key=event_key("episode", episode),
            severity="ticket",
            since=max(at),
            subject=f"{facts.model}: {what} (version {opening.version})",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_episode, known, opening, why, state),
            goes_on=state == "open",
            past=facts.is_past(opening),
        )


def _opened(known: Status, history: LatchHistory) -> Iterator[tuple[str, list[Observation]]]:
    """Yield each episode with its windows from the first breach to the one that opened it."""
    told = set()
    for reading, latch in history.steps:
        if latch.state != "open" or latch.episode is None or latch.episode in told:
            continue
        told.add(latch.episode)
        last = reading.window.start
        breach = breach_of(latch.episode) or last
        yield latch.episode, [o for o in known.observations if breach <= o.window_start <= last]


def _of_episode(
    known: Status, opening: Observation, why: Callable[[Observation], str], state: State
) -> list[str]:
    lines = [_of_window(opening, why(opening))]
    if state != "open":
        return [*lines, "It is over by now." if state == "closed" else "The latch rests by now."]
    if known.silence:
        return [*lines, f"Nobody is asked: {known.silence}."]
    if known.patience:
        return [*lines, f"Nobody is asked yet: {known.patience}."]
    return lines


def _promotions(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    kinds = {p.proposal: p.kind for p in facts.status.proposals}
    for promotion in facts.status.promotions:
        since = facts.recorded.promoted.get(promotion.number)
        if since is None:
            continue
        back = kinds.get(promotion.proposal) == "rollback"
        told = "rolled back to" if back else "promoted to"
        yield NoticeEvent(
            key=event_key("promotion", str(promotion.number)),
            severity="page" if back else "info",
            since=since,
            subject=f"{facts.model}: {told} version {promotion.version}",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_promotion, promotion),
        )


def _of_promotion(promotion: Promotion) -> list[str]:
    since = moment_told(promotion.effective_from)
    before = "" if promotion.expected is None else f" in place of version {promotion.expected}"
    return [f"By {promotion.by}{before}, for windows from {since} on.", f"Why: {promotion.reason}"]


def _ends(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    proposals = {p.proposal: p for p in facts.status.proposals}
    for decision in facts.status.decisions:
        since = facts.recorded.decided.get((decision.proposal, decision.step))
        told = _end_told(decision, proposals.get(decision.proposal))
        if since is None or told is None:
            continue
        severity, subject = told
        yield NoticeEvent(
            key=event_key("decision", decision.proposal, decision.step),
            severity=severity,
            since=since,
            subject=f"{facts.model}: {subject}",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_end, decision),
        )


def _of_end(decision: Decision) -> list[str]:
    return [f"{decision.proposal}, step {decision.step}: {decision.comment}"]


def _end_told(decision: Decision, proposal: Proposal | None) -> tuple[Severity, str] | None:
    """Return how urgent an end is that no person chose, and its subject; None of any other."""
    if (decision.step, decision.answer) == ("train", "failed"):
        return "ticket", "a retrain was approved: train it elsewhere and hand it in"
    if decision.answer == "failed":
        refused = "gates" if decision.step == "gates" else "shadow windows"
        return "info", f"the {refused} refused the candidate"
    if (decision.step, decision.answer) == ("canary", "passed"):
        return "info", "the canary held, and the champion scores all of the keys"
    if (decision.answer, decision.by) == ("rejected", POLICY):
        return "ticket", "a candidate is from broken rows and is not promoted by itself"
    if decision.answer == "no_answer":
        asked = what_is_asked(proposal, decision.step) if proposal else decision.step
        return "ticket", f"nobody answered whether to {asked}"
    if decision.answer in ("ended", "invalid"):
        return "ticket", "a proposal has ended by itself"
    if decision.answer == "superseded":
        return "info", "a proposal has ended, since another champion was promoted"
    return None


def _freezes(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    for freeze in facts.status.freezes:
        stopped = freeze.state == "frozen"
        yield NoticeEvent(
            key=event_key("freeze", str(freeze.number)),
            severity="ticket" if stopped else "info",
            since=freeze.recorded_at,
            subject=f"{facts.model}: {'frozen' if stopped else 'let go on'}",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_freeze, freeze),
            goes_on=freeze == facts.status.frozen,
        )


def _of_freeze(freeze: Freeze) -> list[str]:
    said = f"By {freeze.by}: {freeze.reason}"
    return [said, f"{way_out(freeze)}."] if freeze.state == "frozen" else [said]


def _insufficient(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    seen = facts.status.observations
    for silent, group in groupby(seen, key=lambda o: o.verdict == "insufficient"):
        windows = list(group)
        if not silent or len(windows) < 2:
            continue
        second, since = windows[1], facts.first_recorded(windows[1])
        if since is None:
            continue
        yield NoticeEvent(
            key=event_key("insufficient", second.window.name),
            severity="ticket",
            since=since,
            subject=f"{facts.model}: nothing can be said of two windows in a row",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_silence, second),
            goes_on=windows[-1] is seen[-1],
            past=facts.is_past(second),
        )


def _labels(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    """Yield that labels stopped coming, under the first window that has none."""
    gap, seen = gap_of(facts.status), facts.status.observations
    if gap is None or not gap.told:
        return
    second = gap.windows[IN_A_ROW - 1]
    shown = next(
        o
        for o in seen
        if o.window >= second and not awaits_labels(facts.status.spec, second, o.window_end)
    )
    since = facts.first_recorded(shown)
    if since is not None:
        yield NoticeEvent(
            key=event_key("labels_overdue", gap.windows[0].name),
            severity="ticket",
            since=since,
            subject=f"{facts.model}: labels are overdue",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_gap, gap),
            goes_on=True,
            past=facts.is_past(shown),
        )


def _of_gap(gap: LabelGap) -> list[str]:
    return [f"{gap.sentence[0].upper()}{gap.sentence[1:]}."]


def _of_window(seen: Observation, why: str) -> str:
    return f"The window of {moment_told(seen.window_start)}: {why}."


def _of_silence(second: Observation) -> list[str]:
    return [_of_window(second, second.reason)]


def _budget(facts: ModelFacts, _: datetime) -> Iterator[NoticeEvent]:
    """Yield that the budget burns, under the first window of this time that it does."""
    found = burning_since(facts.status)
    if found is None:
        return
    first, budget = found
    since = facts.first_recorded(first)
    if since is not None:
        yield NoticeEvent(
            key=event_key("burning", f"v{first.version}", first.window.name),
            severity="page",
            since=since,
            subject=f"{facts.model}: the error budget burns",
            link=f"{MARGINS}/{facts.model}",
            more=partial(_of_budget, budget),
            goes_on=True,
            past=facts.is_past(facts.status.observations[-1]),
        )


def _of_budget(budget: Budget) -> list[str]:
    return [f"{budget.sentence[0].upper()}{budget.sentence[1:]}."]


EVENT_KINDS: tuple[EventKind, ...] = (
    _episodes,
    question_events,
    _promotions,
    _ends,
    _freezes,
    _insufficient,
    _labels,
    _budget,
)

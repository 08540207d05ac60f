"""What a channel still has to be told: events less what was told, with the waits between. Pure.

What was told is in the ledger: a claim before each attempt, and afterwards how it ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tasks.ledger.when_recorded import Attempt
from tasks.notices.event_kinds import events_of
from tasks.notices.events import ModelFacts, NoticeEvent, is_quiet
from tasks.spec.notify_options import Severity, reaches

# Between one attempt and the next, if it failed. The last of them is the last.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 25, 120, 600))
MOST_ATTEMPTS = len(WAITS) + 1
UNSURE = timedelta(minutes=10)  # until an attempt without an end is taken for one that died

OwedState = Literal["due", "waits", "held", "told", "failed"]


@dataclass(frozen=True, kw_only=True)
class Owed:
    """An event that a channel is to be told, and how that stands.

    `due` now, `waits` for the next attempt, `held` until a backfill is over, `told`, or `failed`
    for good. `attempt` is the number of the next attempt; `detail` says why the last one failed.
    """

    channel: str
    event: NoticeEvent
    state: OwedState
    attempt: int
    detail: str = ""

    @property
    def is_pending(self) -> bool:
        return self.state in ("due", "waits")


def subscription(least: Severity) -> str:
    """Return the name under which the ledger has since when a channel hears of a model."""
    return f"subscribed/{least}"


def subscribed_at(facts: ModelFacts, channel: str, least: Severity) -> datetime | None:
    """Return since when a channel hears of what is at least so severe; None: not yet."""
    of = subscription(least)
    mine = (a.claimed_at for a in facts.recorded.attempts if (a.channel, a.event) == (channel, of))
    return next(mine, None)


def owed(facts: ModelFacts, now: datetime) -> list[Owed]:
    """Return how it stands with each event of each channel that the spec names.

    A channel hears of what goes on, and of what happened since it was set up: the past is not told.
    """
    notify = facts.status.spec.notify
    if not notify:
        return []
    quiet, attempts = is_quiet(facts, now), _by_event(facts.recorded.attempts)
    events = events_of(facts, now)
    found = []
    for channel, least in notify.items():
        since = subscribed_at(facts, channel, least) or now
        for event in events:
            if reaches(event.severity, least) and (event.goes_on or event.since >= since):
                made = attempts.get((channel, event.key), [])
                found.append(_owed(channel, event, made, quiet, now))
    return found


def _by_event(attempts: Iterable[Attempt]) -> Mapping[tuple[str, str], list[Attempt]]:
    found: dict[tuple[str, str], list[Attempt]] = {}
    for one in attempts:
        found.setdefault((one.channel, one.event), []).append(one)
    return found


def _owed(
    channel: str, event: NoticeEvent, made: list[Attempt], quiet: bool, now: datetime
) -> Owed:
    state, number, detail = _state(made, now)
    if not made and event.past and not quiet:
        state = "held"
    return Owed(channel=channel, event=event, state=state, attempt=number, detail=detail)


def _state(made: list[Attempt], now: datetime) -> tuple[OwedState, int, str]:
    if not made:
        return "due", 1, ""
    last = max(made, key=lambda one: one.attempt)
    if any(one.outcome == "told" for one in made):
        return "told", last.attempt, ""
    unsure = last.outcome is None
    detail = "nobody knows whether it was sent: its process died" if unsure else last.detail
    if last.attempt >= MOST_ATTEMPTS and not (unsure and now < last.claimed_at + UNSURE):
        return "failed", last.attempt, detail
    wait = WAITS[min(last.attempt, len(WAITS)) - 1]
    again = last.claimed_at + max(UNSURE, wait) if unsure else (last.ended_at or now) + wait
    return "due" if now >= again else "waits", last.attempt + 1, detail

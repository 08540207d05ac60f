"""What an event is, and what it is folded from: rows, and when they were recorded. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.bounds import shifted
from tasks.ledger.chain import Link
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.ledger.when_recorded import WhenRecorded
from tasks.spec.notify_options import Severity

QUIET = timedelta(minutes=10)  # without a window of the past: then a backfill is taken to be over
_LONGEST_KEY = 200  # of the 250 characters that the ledger has


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of a model: what its rows fold to, and when they were recorded.

    `head` is the newest link, for what is sent: whoever has the message can show a cut tail.
    """

    status: Status
    recorded: WhenRecorded
    head: Link | None = None

    @property
    def model(self) -> str:
        return self.status.spec.model

    def first_recorded(self, seen: Observation) -> datetime | None:
        """Return when a window was first recorded; None if it is newer than what was read."""
        return self.recorded.windows.get((seen.window, seen.version))

    def is_past(self, seen: Observation) -> bool:
        """Return whether a window was recorded when the next one was due: by a backfill, say."""
        grid = self.status.spec.window
        at = self.first_recorded(seen)
        return at is not None and at > shifted(seen.window_end, grid.grace + grid.every)


@dataclass(frozen=True, kw_only=True)
class NoticeEvent:
    """Something that people are told once. `key` names it for ever, `since` is wall clock.

    `goes_on` is whether it is still so: what is over is not told to who was not there yet. `past`
    is about windows that were long over when they were recorded: it waits for the others. `more`
    returns the lines below the subject; what `asks` for an answer comes first in a message.
    """

    key: str
    severity: Severity
    since: datetime
    subject: str
    link: str
    more: Callable[[], Sequence[str]] = tuple
    asks: bool = False
    goes_on: bool = False
    past: bool = False


def is_quiet(facts: ModelFacts, now: datetime) -> bool:
    """Return whether no backfill seems to run: no window of the past was recorded just now.

    Where windows always come late, there is quiet in between, however short they are.
    """
    past = (at for o in facts.status.observations if (at := _past_at(facts, o)))
    newest = max(past, default=None)
    return newest is None or now - newest >= min(QUIET, facts.status.spec.window.every / 2)


def _past_at(facts: ModelFacts, seen: Observation) -> datetime | None:
    return facts.first_recorded(seen) if facts.is_past(seen) else None


def event_key(*parts: str) -> str:
    """Return the name of an event, such that the ledger can hold it."""
    key = "/".join(parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[:_LONGEST_KEY]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

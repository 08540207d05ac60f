"""The stretch of event time that a report covers, and why it is that one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.drift.episode import breach_of
from tasks.errors import Final
from tasks.ledger.records import Observation
from tasks.ledger.status import Status

REVIEWED = 12  # windows of a report that nobody gave a beginning
CALM = 3  # windows before the first breach of an episode, to see what it came from


class NoPeriod(Final):
    """A period that ends before it begins; the message names both ends."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """Event time from `since` until `until`; None: from the first row on, or up to the newest.

    `why` is a sentence for people.
    """

    since: datetime | None
    until: datetime | None
    why: str

    def holds(self, moment: datetime) -> bool:
        """Return whether a moment lies in it; both ends do."""
        return (self.since is None or self.since <= moment) and (
            self.until is None or moment <= self.until
        )

    def touches(self, seen: Observation) -> bool:
        """Return whether a window lies in it, be it in part."""
        return (self.since is None or self.since < seen.window_end) and (
            self.until is None or seen.window_start < self.until
        )


def period_of(known: Status, since: datetime | None, until: datetime | None) -> Period:
    """Return the period that is asked for; where it begins is chosen if nobody says so.

    Raises
    ------
    NoPeriod
        If it would end before it begins.
    """
    if since is not None:
        if until is not None and since >= until:
            raise NoPeriod(
                f"--from {since:%Y-%m-%d %H:%M} is not before --to {until:%Y-%m-%d %H:%M}; move one"
            )
        return Period(since=since, until=until, why="It was asked for.")
    there = [o for o in known.observations if until is None or o.window_start < until]
    if not there:
        return Period(since=None, until=until, why="There is no window to choose a beginning by.")
    place = max(len(there) - REVIEWED, 0)
    episode = _reaching_in(known, place, len(there))
    began = breach_of(episode)
    if began is None or began >= there[place].window_start:
        shown = len(there) - place
        return Period(
            since=there[place].window_start,
            until=until,
            why=f"No beginning was asked for, so it has the newest {_windows(shown)}.",
        )
    return Period(
        since=_before(there, began).window_start,
        until=until,
        why=(
            f"No beginning was asked for. The newest {_windows(REVIEWED)} begin within the episode "
            f"{episode}, so it begins {CALM} windows before the first breach of that episode."
        ),
    )


def _reaching_in(known: Status, first: int, last: int) -> str | None:
    """Return the first episode that was open in some windows."""
    latches = (latch for _, latch in known.history.steps[first:last])
    return next((latch.episode for latch in latches if latch.episode is not None), None)


def _before(there: Sequence[Observation], breach: datetime) -> Observation:
    place = next(i for i, o in enumerate(there) if o.window_end > breach)
    return there[max(place - CALM, 0)]


def _windows(count: int) -> str:
    return "window" if count == 1 else f"{count} windows"

"""When rows of a model were recorded (wall clock), and what was told to whom of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tasks.ledger import stored
from tasks.ledger.records import Question
from tasks.ledger.tables import (
    DECISIONS,
    DELIVERIES,
    NOTICES,
    OBSERVATIONS,
    PROMOTIONS,
    QUESTIONS,
)
from tasks.spec.windows import Window


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to tell a channel of an event; without an outcome nobody knows how it ended."""

    event: str
    channel: str
    attempt: int
    claimed_at: datetime
    outcome: str | None = None
    detail: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WhenRecorded:
    """When what was first recorded, each by what names it, beside the questions and attempts.

    `windows` are by window and version, `asked` and `decided` by proposal and step, `promoted` by
    the promotion's number.
    """

    windows: Mapping[tuple[Window, int], datetime] = field(default_factory=dict)
    asked: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    decided: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    promoted: Mapping[int, datetime] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def newest(self) -> datetime | None:
        """Return when the newest of these rows was recorded; None if there is none."""
        times = (self.windows, self.asked, self.decided, self.promoted)
        return max((moment for one in times for moment in one.values()), default=None)


def when_recorded_of(
    link: sa.Connection, model: str, since: datetime | None = None
) -> WhenRecorded:
    """Return what was recorded of a model, as a connection sees it.

    Parameters
    ----------
    since
        The start of the oldest window that is asked about; None: all of them.
    """

    def first(table: sa.Table, *names: str, only: Sequence[Any] = ()) -> list[Any]:
        columns = [table.c[name] for name in names]
        at = sa.func.min(table.c.recorded_at, type_=table.c.recorded_at.type)
        query = sa.select(*columns, at).where(table.c.model == model, *only).group_by(*columns)
        return [tuple(row) for row in link.execute(query)]

    newer = () if since is None else (OBSERVATIONS.c.window_start >= since,)
    windows = first(OBSERVATIONS, "window_start", "window_end", "version", only=newer)
    steps = ("proposal", "step")
    return WhenRecorded(
        windows={(Window(start, end), version): at for start, end, version, at in windows},
        asked={(proposal, step): at for proposal, step, at in first(QUESTIONS, *steps)},
        decided={(proposal, step): at for proposal, step, at in first(DECISIONS, *steps)},
        promoted=dict(first(PROMOTIONS, "number")),
        questions=tuple(stored.of_model(link, QUESTIONS, model, Question)),
        attempts=tuple(_attempts(link, model)),
    )


def _attempts(link: sa.Connection, model: str) -> list[Attempt]:
    claim, end = NOTICES.c, DELIVERIES.c
    same = [claim[name] == end[name] for name in ("model", "event", "channel", "attempt")]
    query = (
        sa.select(
            claim.event,
            claim.channel,
            claim.attempt,
            claim.recorded_at,
            end.outcome,
            end.detail,
            end.recorded_at,
        )
        .select_from(NOTICES.outerjoin(DELIVERIES, sa.and_(*same)))
        .where(claim.model == model)
        .order_by(claim.id)
    )
    return [
        Attempt(
            event=event,
            channel=channel,
            attempt=attempt,
            claimed_at=claimed_at,
            outcome=outcome,
            detail=detail or "",
            ended_at=ended_at,
        )
        for event, channel, attempt, claimed_at, outcome, detail, ended_at in link.execute(query)
    ]

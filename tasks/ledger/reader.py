"""The reading half of the ledger: what it holds about a model, each row by its natural key."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from tasks.ledger import engine as database
from tasks.ledger import migrations, sealing, stored
from tasks.ledger.chain import Link, Seal, Trail
from tasks.ledger.recorded import RecordedTimes
from tasks.ledger.records import (
    Candidate,
    Decision,
    Freeze,
    NoSuchVersion,
    Observation,
    Promotion,
    Proposal,
    Question,
    candidate_at,
)
from tasks.ledger.tables import (
    CANDIDATES,
    DECISIONS,
    FREEZES,
    OBSERVATIONS,
    PROMOTIONS,
    PROPOSALS,
    QUESTIONS,
)
from tasks.ledger.when_recorded import WhenRecorded, when_recorded_of
from tasks.spec.windows import Window

_Row = TypeVar("_Row")


@dataclass(frozen=True, kw_only=True)
class ModelRows:
    """What a ledger held about a model at one moment; `observations` are those that rule."""

    observations: list[Observation]
    proposals: list[Proposal]
    decisions: list[Decision]
    candidates: list[Candidate]
    promotions: list[Promotion]
    freezes: list[Freeze]


class LedgerReader:
    """A connection to the ledger, SQLite or PostgreSQL, to read."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open_to_read(cls) -> LedgerReader:
        """Return the ledger that GATELATCH_LEDGER names, as it is: nothing is ever written to it.

        Raises
        ------
        tasks.disk.Unusable
            If there is none, or nobody answers.
        tasks.ledger.migrations.OtherSchema
            If another release wrote it.
        """
        reader = LedgerReader(database.engine_to_read(database.address()))
        try:
            migrations.require_schema(reader._engine)
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def at_one_moment(self) -> AbstractContextManager[sa.Connection]:
        """Return a context with a connection; what is read on it is all of one moment."""
        return database.snapshot(self._engine)

    def rows(self, model: str) -> ModelRows:
        """Return what the state of a model is folded from, all as it is at one moment."""
        with self.at_one_moment() as link:
            return rows_of(link, model, stored.observations(link, model).values())

    def rows_but_windows(self, model: str) -> ModelRows:
        """Return what `rows` does without any observation."""
        with self.at_one_moment() as link:
            return rows_of(link, model, ())

    def rows_and_trail(self, model: str) -> tuple[ModelRows, Trail]:
        """Return what `rows` and `trail` do, both as they are at one moment."""
        with self.at_one_moment() as link:
            rows = rows_of(link, model, stored.observations(link, model).values())
            return rows, sealing.trail(link, model)

    def observation(self, model: str, version: int, window: Window) -> Observation | None:
        """Return the newest revision of one window under one version."""
        t = OBSERVATIONS.c
        query = (
            sa.select(OBSERVATIONS)
            .where(t.model == model, t.version == version)
            .where(t.window_start == window.start, t.window_end == window.end)
            .order_by(t.revision.desc())
            .limit(1)
        )
        with self._engine.connect() as link:
            found = stored.records(link, query, Observation)
        return found[0] if found else None

    def observations(self, model: str) -> list[Observation]:
        """Return the newest revision of every window, each under the champion it belongs to."""
        with self.at_one_moment() as link:
            seen = stored.observations(link, model).values()
            promotions = stored.of_model(link, PROMOTIONS, model, Promotion)
        return stored.ruling(seen, promotions)

    def observations_of(
        self, model: str, version: int, since: datetime | None = None
    ) -> list[Observation]:
        """Return the newest revision of every window under one version, oldest window first.

        With `since`, of those that start then or later.
        """
        c = OBSERVATIONS.c
        later = [] if since is None else [c.window_start >= since]
        with self._engine.connect() as link:
            seen = stored.observations(link, model, c.version == version, *later)
        newest = {o.window: o for o in seen.values()}
        return [newest[window] for window in sorted(newest)]

    def history(self, model: str) -> list[Observation]:
        """Return every observation ever written, every revision and version, in that order."""
        return self._of(OBSERVATIONS, model, Observation)

    def proposals(self, model: str) -> list[Proposal]:
        """Return a model's proposals, oldest first."""
        return self._of(PROPOSALS, model, Proposal)

    def questions(self, model: str) -> list[Question]:
        """Return what was asked about a model, oldest first."""
        return self._of(QUESTIONS, model, Question)

    def decisions(self, model: str) -> list[Decision]:
        """Return a model's decisions, oldest first."""
        return self._of(DECISIONS, model, Decision)

    def candidates(self, model: str) -> list[Candidate]:
        """Return a model's candidates, oldest first."""
        return self._of(CANDIDATES, model, Candidate)

    def candidate(self, model: str, version: int) -> Candidate | None:
        """Return the candidate that became this version. Raises TwoCandidates."""
        c = CANDIDATES.c
        query = sa.select(CANDIDATES).where(c.model == model, c.version == version)
        with self._engine.connect() as link:
            found = stored.records(link, query.order_by(c.id), Candidate)
        # Which of several is told by the promotions; each comes with a large reference.
        promotions = self.promotions(model) if len(found) > 1 else []
        return candidate_at(found, promotions, version)

    def version(self, model: str, version: int) -> Candidate:
        """Return the candidate that became this version. Raises NoSuchVersion, TwoCandidates."""
        candidate = self.candidate(model, version)
        if candidate is None:
            there = ", ".join(str(c.version) for c in self.candidates(model)) or "none"
            raise NoSuchVersion(
                f"{model} has no version {version} in the ledger; there are: {there}"
            )
        return candidate

    def promotions(self, model: str) -> list[Promotion]:
        """Return a model's promotions in order."""
        return self._of(PROMOTIONS, model, Promotion)

    def freezes(self, model: str) -> list[Freeze]:
        """Return when a model was stopped and let go on, oldest first."""
        return self._of(FREEZES, model, Freeze)

    def when_recorded(self, model: str) -> WhenRecorded:
        """Return when a model's rows were written, and what was told of them, at one moment."""
        with self.at_one_moment() as link:
            return when_recorded_of(link, model)

    def touched(self, model: str) -> dict[str, datetime]:
        """Return when the newest row about each proposal was recorded (wall clock)."""
        about = [
            sa.select(t.c.proposal, t.c.recorded_at).where(t.c.model == model)
            for t in (PROPOSALS, DECISIONS, CANDIDATES, PROMOTIONS)
        ]
        rows = sa.union_all(*about).subquery()
        newest = sa.func.max(rows.c.recorded_at, type_=rows.c.recorded_at.type)
        query = sa.select(rows.c.proposal, newest).group_by(rows.c.proposal)
        with self._engine.connect() as link:
            return {row[0]: row[1] for row in link.execute(query)}

    def asked_at(self, model: str) -> dict[tuple[str, str], datetime]:
        """Return when each step of each proposal was first asked about (wall clock)."""
        c = QUESTIONS.c
        first = sa.func.min(c.recorded_at, type_=c.recorded_at.type)
        query = sa.select(c.proposal, c.step, first).where(c.model == model)
        with self._engine.connect() as link:
            rows = link.execute(query.group_by(c.proposal, c.step)).all()
        return {(proposal, step): asked for proposal, step, asked in rows}

    def recorded(self, model: str) -> RecordedTimes:
        """Return when each observation of a model was recorded."""
        c = OBSERVATIONS.c
        key = (c.version, c.window_start, c.window_end, c.revision)
        with self._engine.connect() as link:
            rows = link.execute(sa.select(*key, c.recorded_at).where(c.model == model)).all()
        return RecordedTimes({(version, *rest): at for version, *rest, at in rows})

    def head(self, model: str) -> tuple[Link, Seal | None] | None:
        """Return the newest link and the signature on it; None for a model without rows."""
        with self._engine.connect() as link:
            return sealing.head(link, model)

    def head_at(self, promotion: Promotion) -> tuple[Link, Seal | None]:
        """Return a promotion's link, the chain's head when it was written, and its signature."""
        with self._engine.connect() as link:
            return sealing.head_at(link, promotion.model, promotion.number)

    def head_of_question(self, question: Question) -> Link | None:
        """Return the link of a question, the chain's head when it was asked."""
        with self._engine.connect() as link:
            return sealing.head_of_question(link, question)

    def trail(self, model: str) -> Trail:
        """Return a model's chain and rows, all as they are at one moment."""
        with self.at_one_moment() as link:
            return sealing.trail(link, model)

    def trail_without(
        self, model: str, unread: frozenset[str], heads: Iterable[tuple[int | None, str]]
    ) -> Trail:
        """Return what `trail` does without the rows of some tables; see `sealing.trail_without`."""
        with self.at_one_moment() as link:
            return sealing.trail_without(link, model, unread, heads)

    def _of(self, table: sa.Table, model: str, kind: type[_Row]) -> list[_Row]:
        with self._engine.connect() as link:
            return stored.of_model(link, table, model, kind)


def rows_of(link: sa.Connection, model: str, seen: Iterable[Observation]) -> ModelRows:
    """Return the rows of a model beside its observations, which were read in order of writing."""
    promotions = stored.of_model(link, PROMOTIONS, model, Promotion)
    return ModelRows(
        observations=stored.ruling(seen, promotions),
        proposals=stored.of_model(link, PROPOSALS, model, Proposal),
        decisions=stored.of_model(link, DECISIONS, model, Decision),
        candidates=stored.of_model(link, CANDIDATES, model, Candidate),
        promotions=promotions,
        freezes=stored.of_model(link, FREEZES, model, Freeze),
    )

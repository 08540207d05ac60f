"""The only file that reads and writes the ledger: append-only, each row named by its natural key.

Writing a row twice is a no-op; writing a different one under the same key is a `Conflict`. Every
row is linked into its model's chain, and the link signed, in the transaction that writes it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from tasks import disk, formats
from tasks.errors import Final
from tasks.ledger import migrations, sealing, triggers
from tasks.ledger.chain import Link, Seal, Trail
from tasks.ledger.records import (
    ENDS,
    Adoption,
    Candidate,
    Decision,
    NoSuchVersion,
    Observation,
    Promotion,
    Proposal,
    Question,
    candidate_at,
    champion_at,
)
from tasks.ledger.tables import (
    ADOPTIONS,
    CANDIDATES,
    DECISIONS,
    OBSERVATIONS,
    PROMOTIONS,
    PROPOSALS,
    QUESTIONS,
)
from tasks.spec.windows import Window

PATIENCE = 30  # seconds, for another process's lock on SQLite

_Row = TypeVar("_Row")


class Conflict(Final):
    """The ledger says otherwise: another row stands where this one would."""


class Ledger:
    """A connection to the ledger, SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)
        place = f"the ledger {self._engine.url.render_as_string()} (GATELATCH_LEDGER)"
        sa.event.listen(self._engine, "handle_error", partial(disk.refused, place))
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _patient)
        else:
            # Each statement sees what was committed before it: the chain's head, once it waits.
            self._engine = self._engine.execution_options(isolation_level="READ COMMITTED")

    @classmethod
    def open(cls) -> Ledger:
        """Return the ledger that GATELATCH_LEDGER names, with its tables in place.

        Raises
        ------
        tasks.ledger.migrations.OtherSchema
            If another release wrote it.
        """
        return _opened(_url())

    @classmethod
    def prepare(cls) -> None:
        """Bring the ledger that GATELATCH_LEDGER names to today's schema, from none as well."""
        ledger = cls(_url())
        try:
            ledger.create()
        finally:
            ledger._engine.dispose()

    def create(self) -> None:
        """Create or upgrade the tables, and the triggers that keep them append-only."""
        migrations.upgrade(self._engine)

    def observe(self, observation: Observation) -> Observation:
        """Append an observation; the same data and spec under the same key must say the same.

        New data or a new spec is a new revision, which then stands for the window.
        """
        earlier = self.observation(observation.model, observation.version, observation.window)
        same = earlier is not None and (
            (earlier.spec_digest, earlier.data_digest)
            == (observation.spec_digest, observation.data_digest)
        )
        if earlier is not None and same:
            if earlier.figures.get(formats.CODE) != observation.figures.get(formats.CODE):
                return earlier  # another release judged it, perhaps otherwise; what it said stands
            _require_same(earlier, observation, but=("revision",))
            return earlier
        revision = 0 if earlier is None else earlier.revision + 1
        row = {**_row(observation), "revision": revision}
        try:
            self._insert(OBSERVATIONS, row)
        except sa.exc.IntegrityError:
            return self.observe(observation)  # another run of this window was first
        return Observation(**row)

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
        found = self._all(query, Observation)
        return found[0] if found else None

    def observations(self, model: str) -> list[Observation]:
        """Return the newest revision of every window, each under the champion it belongs to."""
        t = OBSERVATIONS.c
        query = sa.select(OBSERVATIONS).where(t.model == model).order_by(t.id)
        newest = {(o.version, o.window): o for o in self._all(query, Observation)}
        promotions = self.promotions(model)
        ruling = [o for o in newest.values() if _rules(promotions, o)]
        return sorted(ruling, key=lambda o: o.window)

    def observations_of(self, model: str, version: int) -> list[Observation]:
        """Return the newest revision of every window under one version, oldest window first."""
        t = OBSERVATIONS.c
        query = sa.select(OBSERVATIONS).where(t.model == model, t.version == version)
        newest = {o.window: o for o in self._all(query.order_by(t.id), Observation)}
        return [newest[window] for window in sorted(newest)]

    def history(self, model: str) -> list[Observation]:
        """Return every observation ever written, every revision and version, in that order."""
        t = OBSERVATIONS.c
        return self._all(
            sa.select(OBSERVATIONS).where(t.model == model).order_by(t.id), Observation
        )

    def propose(self, proposal: Proposal) -> Proposal:
        """Append a proposal, once; a second call returns the first one's row unchanged."""
        return self._once(PROPOSALS, proposal, ("proposal",), compare=False)

    def proposals(self, model: str) -> list[Proposal]:
        """Return a model's proposals, oldest first."""
        return self._of(PROPOSALS, model, Proposal)

    def ask(self, question: Question) -> Question:
        """Append whom a step is put to on which evidence, once."""
        return self._once(QUESTIONS, question, ("proposal", "step", "evidence"), compare=False)

    def questions(self, model: str) -> list[Question]:
        """Return what was asked about a model, oldest first."""
        return self._of(QUESTIONS, model, Question)

    def decide(self, decision: Decision) -> Decision:
        """Append a decision, once.

        Raises
        ------
        Conflict
            If the step was decided otherwise before.
        """
        return self._once(
            DECISIONS, decision, ("proposal", "step"), but=("effective_from", "comment")
        )

    def decisions(self, model: str) -> list[Decision]:
        """Return a model's decisions, oldest first."""
        return self._of(DECISIONS, model, Decision)

    def add_candidate(self, candidate: Candidate) -> Candidate:
        """Append a candidate, once.

        Raises
        ------
        Conflict
            If another stands under its proposal, or its version is the candidate of another one.
        """
        return self._once(
            CANDIDATES, candidate, ("proposal",), allowed=lambda link: _is_new(link, candidate)
        )

    def candidates(self, model: str) -> list[Candidate]:
        """Return a model's candidates, oldest first."""
        return self._of(CANDIDATES, model, Candidate)

    def candidate(self, model: str, version: int) -> Candidate | None:
        """Return the candidate that became this version. Raises TwoCandidates."""
        return candidate_at(self.candidates(model), self.promotions(model), version)

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

    def promote(
        self,
        model: str,
        proposal: str,
        *,
        version: int,
        expected: int | None,
        effective_from: datetime,
        by: str,
        reason: str,
    ) -> Promotion:
        """Move the champion from `expected` to `version`; compare-and-set.

        A second call for the same proposal returns the first one's row.

        Raises
        ------
        Conflict
            If another version is champion by now: says which and who promoted it; if the proposal
            was refused or withdrawn meanwhile.
        """
        past = self.promotions(model)
        mine = [p for p in past if p.proposal == proposal]
        if mine and (mine[-1].version, mine[-1].expected) != (version, expected):
            raise Conflict(
                f"{model}: {proposal} already promoted version {mine[-1].version} in place of "
                f"{_named(mine[-1].expected)}; nothing was changed"
            )
        if mine:
            return mine[-1]
        champion = past[-1].version if past else None
        if champion != expected:
            winner = past[-1] if past else None
            who = f" (promoted by {winner.by}, {winner.proposal})" if winner else ""
            raise Conflict(
                f"{model}: version {version} was compared with {_named(expected)}, but the "
                f"champion is {_named(champion)}{who}; nothing was changed. Propose again."
            )
        row = Promotion(
            model=model,
            number=len(past) + 1,
            proposal=proposal,
            version=version,
            expected=expected,
            effective_from=effective_from,
            by=by,
            reason=reason,
        )
        try:
            self._insert(PROMOTIONS, _row(row), lambda link: _still_stands(link, row))
        except sa.exc.IntegrityError:
            # Somebody took this number: the comparison above now fails and says who.
            return self.promote(
                model,
                proposal,
                version=version,
                expected=expected,
                effective_from=effective_from,
                by=by,
                reason=reason,
            )
        return row

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

    def adopt(self, adoption: Adoption) -> Adoption:
        """Append a person's word for all rows so far, signed or not."""
        self._insert(ADOPTIONS, _row(adoption))
        return adoption

    def head(self, model: str) -> tuple[Link, Seal | None] | None:
        """Return the newest link and the signature on it; None for a model without rows."""
        with self._engine.connect() as link:
            return sealing.head(link, model)

    def head_at(self, promotion: Promotion) -> tuple[Link, Seal | None]:
        """Return a promotion's link, the chain's head when it was written, and its signature."""
        with self._engine.connect() as link:
            return sealing.head_at(link, promotion.model, promotion.number)

    def trail(self, model: str, *, unread: frozenset[str] = frozenset()) -> Trail:
        """Return a model's chain and rows, all as they are at one moment.

        Of `unread` tables the rows are only counted.
        """
        with self._engine.connect() as link:
            return sealing.trail(link, model, unread)

    def _once(
        self,
        table: sa.Table,
        row: _Row,
        key: tuple[str, ...],
        but: tuple[str, ...] = (),
        compare: bool = True,
        allowed: Callable[[sa.Connection], None] | None = None,
    ) -> _Row:
        try:
            self._insert(table, _row(row), allowed)
            return row
        except sa.exc.IntegrityError:
            names = ("model", *key)
            query = sa.select(table).where(*(table.c[n] == getattr(row, n) for n in names))
            earlier = self._all(query, type(row))[0]
            if compare:
                _require_same(earlier, row, but=but)
            return earlier

    def _insert(
        self,
        table: sa.Table,
        row: Mapping[str, Any],
        allowed: Callable[[sa.Connection], None] | None = None,
    ) -> None:
        with self._engine.begin() as link:
            triggers.alone(link, row["model"])
            if allowed is not None:
                allowed(link)
            sealing.append(link, table, {**row, "recorded_at": datetime.now(UTC)})

    def _of(self, table: sa.Table, model: str, kind: type[_Row]) -> list[_Row]:
        return self._all(sa.select(table).where(table.c.model == model).order_by(table.c.id), kind)

    def _all(self, query: sa.Select[Any], kind: type[_Row]) -> list[_Row]:
        names = [f.name for f in fields(cast(Any, kind))]
        with self._engine.connect() as link:
            found = link.execute(query).mappings()
            return [kind(**{n: _loaded(kind, row, n) for n in names}) for row in found]


@cache
def _opened(url: str) -> Ledger:
    ledger = Ledger(url)
    try:
        migrations.make_ready(ledger._engine)
    except BaseException:
        ledger._engine.dispose()
        raise
    return ledger


def _url() -> str:
    return os.environ.get("GATELATCH_LEDGER") or "sqlite:///.run/ledger.db"


def _is_new(link: sa.Connection, candidate: Candidate) -> None:
    """Raise Conflict if the version is the candidate of another proposal."""
    c = CANDIDATES.c
    query = sa.select(c.proposal).where(
        c.model == candidate.model,
        c.version == candidate.version,
        c.proposal != candidate.proposal,
    )
    if found := link.execute(query).first():
        raise Conflict(
            f"{candidate.model}: version {candidate.version} is the candidate of {found.proposal}; "
            f"{candidate.proposal} needs a version of its own. Propose again"
        )


def _still_stands(link: sa.Connection, promotion: Promotion) -> None:
    """Raise Conflict if the proposal was ended since it was looked at."""
    d = DECISIONS.c
    query = sa.select(d.step, d.answer, d.by).where(
        d.model == promotion.model, d.proposal == promotion.proposal, d.answer.in_(ENDS)
    )
    if found := link.execute(query).first():
        raise Conflict(
            f"{promotion.proposal}: {found.step} was {found.answer} by {found.by} meanwhile; "
            "nothing was changed"
        )


def _rules(promotions: list[Promotion], observation: Observation) -> bool:
    period = champion_at(promotions, observation.window_start)
    return period is not None and period.version == observation.version


def _named(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"


def _row(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record)}


def _loaded(kind: type[Any], row: sa.RowMapping, name: str) -> Any:
    """Return a stored value. Raises formats.OtherFormat, which names its row."""
    if name not in formats.COLUMNS:
        return row[name]
    what = f"{name} of {kind.__name__.lower()} {row['id']} of {row['model']}"
    return formats.load_stored(what, row[name], formats.COLUMNS[name])


def _require_same(earlier: Any, later: Any, but: tuple[str, ...]) -> None:
    names = [f.name for f in fields(earlier) if f.name not in but]
    differ = [n for n in names if _plain(getattr(earlier, n)) != _plain(getattr(later, n))]
    if differ:
        raise Conflict(
            f"{later.model}: a different {type(later).__name__.lower()} is already recorded under "
            f"the same key (differs in {', '.join(differ)}); the first one stands"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, dict):
        value = {formats.KEY: formats.UNNUMBERED, **value}
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, default=str)
    return value


def _patient(connection: Any, _: Any) -> None:
    # Parallel windows write at once: wait for the lock instead of failing.
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000}")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        _write_ahead(connection)


def _write_ahead(connection: Any) -> None:
    """Let readers and a writer work at once, from now on; to switch to it, SQLite does not wait."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

    locked = retry_if_exception_type(sqlite3.OperationalError)
    patient = Retrying(
        retry=locked, stop=stop_after_delay(PATIENCE), wait=wait_random(0.01, 0.1), reraise=True
    )
    patient(connection.execute, "PRAGMA journal_mode = WAL")

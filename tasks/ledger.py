"""The only file that knows the ledger's tables: append-only, each row named by its natural key.

Writing a row twice is a no-op; writing a different one under the same key is a `Conflict`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from tasks.records import (
    Candidate,
    Decision,
    Observation,
    Promotion,
    Proposal,
    champion_at,
)
from tasks.windows import Window

_Row = TypeVar("_Row")


class Conflict(Exception):
    """The ledger says otherwise: another row stands where this one would."""


class _Utc(TypeDecorator[datetime]):
    """Aware datetimes in UTC, also in SQLite, which keeps no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value and _lite(dialect) else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _lite(dialect: Any) -> bool:
    return bool(dialect.name == "sqlite")


_META = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any], unique: tuple[str, ...]) -> sa.Table:
    return sa.Table(
        name,
        _META,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(100), nullable=False),
        *columns,
        sa.Column("recorded_at", _Utc, nullable=False),
        sa.UniqueConstraint("model", *unique),
    )


def _text(name: str, size: int = 250, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(size), nullable=optional)


def _prose(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False)


def _time(name: str, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _Utc, nullable=optional)


def _number(name: str, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=optional)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON, nullable=False)


_OBSERVATIONS = _table(
    "observations",
    _number("version"),
    _time("window_start"),
    _time("window_end"),
    _number("revision"),
    _text("spec_digest", 64),
    _text("data_digest", 64),
    _text("verdict", 20),
    _prose("reason"),
    sa.Column("pressure", sa.Float, nullable=True),
    _json("figures"),
    unique=("version", "window_start", "window_end", "revision"),
)
_PROPOSALS = _table(
    "proposals",
    _text("proposal"),
    _text("kind", 20),
    _prose("reason"),
    _text("episode", optional=True),
    _number("champion", optional=True),
    _time("trained_from"),
    _time("trained_until"),
    _text("proposer"),
    _text("spec_digest", 64),
    unique=("proposal",),
)
_DECISIONS = _table(
    "decisions",
    _text("proposal"),
    _text("step", 20),
    _text("answer", 20),
    _text("by"),
    _prose("comment"),
    _text("evidence", 64),
    _time("effective_from"),
    unique=("proposal", "step"),
)
_CANDIDATES = _table(
    "candidates",
    _text("proposal"),
    _number("version"),
    _text("run_id", 64),
    _text("artifact_digest", 64),
    _text("evidence", 64),
    _text("spec_digest", 64),
    _text("data_digest", 64),
    _time("trained_until"),
    _json("metrics"),
    _json("gates"),
    _json("reference"),
    unique=("proposal",),
)
_PROMOTIONS = _table(
    "promotions",
    _number("number"),
    _text("proposal"),
    _number("version"),
    _number("expected", optional=True),
    _time("effective_from"),
    _text("by"),
    _prose("reason"),
    unique=("number",),
)


class Ledger:
    """A connection to the ledger, SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _patient)

    @classmethod
    def open(cls) -> Ledger:
        """Return the ledger that GATELATCH_LEDGER names, with its tables in place."""
        return _opened(os.environ.get("GATELATCH_LEDGER") or "sqlite:///.run/ledger.db")

    def create(self) -> None:
        """Create the tables that are missing."""
        try:
            _META.create_all(self._engine)
        except (sa.exc.OperationalError, sa.exc.ProgrammingError, sa.exc.IntegrityError):
            # Another process was first; if it was not that, this fails again and says why.
            with self._engine.begin() as link:
                for table in _META.sorted_tables:
                    link.execute(sa.schema.CreateTable(table, if_not_exists=True))

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
            _require_same(earlier, observation, but=("revision",))
            return earlier
        revision = 0 if earlier is None else earlier.revision + 1
        row = {**_row(observation), "revision": revision}
        try:
            self._insert(_OBSERVATIONS, row)
        except sa.exc.IntegrityError:
            return self.observe(observation)  # another run of this window was first
        return Observation(**row)

    def observation(self, model: str, version: int, window: Window) -> Observation | None:
        """Return the newest revision of one window under one version."""
        t = _OBSERVATIONS.c
        query = (
            sa.select(_OBSERVATIONS)
            .where(t.model == model, t.version == version)
            .where(t.window_start == window.start, t.window_end == window.end)
            .order_by(t.revision.desc())
            .limit(1)
        )
        found = self._all(query, Observation)
        return found[0] if found else None

    def observations(self, model: str) -> list[Observation]:
        """Return the newest revision of every window, each under the champion it belongs to."""
        t = _OBSERVATIONS.c
        query = sa.select(_OBSERVATIONS).where(t.model == model).order_by(t.id)
        newest = {(o.version, o.window): o for o in self._all(query, Observation)}
        promotions = self.promotions(model)
        ruling = [o for o in newest.values() if _rules(promotions, o)]
        return sorted(ruling, key=lambda o: o.window)

    def history(self, model: str) -> list[Observation]:
        """Return every observation ever written, every revision and version, in that order."""
        t = _OBSERVATIONS.c
        return self._all(
            sa.select(_OBSERVATIONS).where(t.model == model).order_by(t.id), Observation
        )

    def propose(self, proposal: Proposal) -> Proposal:
        """Append a proposal, once; a second call returns the first one's row unchanged."""
        return self._once(_PROPOSALS, proposal, ("proposal",), compare=False)

    def proposals(self, model: str) -> list[Proposal]:
        """Return a model's proposals, oldest first."""
        return self._of(_PROPOSALS, model, Proposal)

    def decide(self, decision: Decision) -> Decision:
        """Append a decision, once.

        Raises
        ------
        Conflict
            If the step was decided otherwise before.
        """
        return self._once(
            _DECISIONS, decision, ("proposal", "step"), but=("effective_from", "comment")
        )

    def decisions(self, model: str) -> list[Decision]:
        """Return a model's decisions, oldest first."""
        return self._of(_DECISIONS, model, Decision)

    def add_candidate(self, candidate: Candidate) -> Candidate:
        """Append a candidate, once. Raises Conflict if another stands under its proposal."""
        return self._once(_CANDIDATES, candidate, ("proposal",))

    def candidates(self, model: str) -> list[Candidate]:
        """Return a model's candidates, oldest first."""
        return self._of(_CANDIDATES, model, Candidate)

    def candidate(self, model: str, version: int) -> Candidate | None:
        """Return the candidate that became this version."""
        return next((c for c in self.candidates(model) if c.version == version), None)

    def promotions(self, model: str) -> list[Promotion]:
        """Return a model's promotions in order."""
        return self._of(_PROMOTIONS, model, Promotion)

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
            If another version is champion by now: says which and who promoted it.
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
            model, len(past) + 1, proposal, version, expected, effective_from, by, reason
        )
        try:
            self._insert(_PROMOTIONS, _row(row))
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

    def _once(
        self,
        table: sa.Table,
        row: _Row,
        key: tuple[str, ...],
        but: tuple[str, ...] = (),
        compare: bool = True,
    ) -> _Row:
        try:
            self._insert(table, _row(row))
            return row
        except sa.exc.IntegrityError:
            names = ("model", *key)
            query = sa.select(table).where(*(table.c[n] == getattr(row, n) for n in names))
            earlier = self._all(query, type(row))[0]
            if compare:
                _require_same(earlier, row, but=but)
            return earlier

    def _insert(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        with self._engine.begin() as link:
            link.execute(sa.insert(table).values(**row, recorded_at=datetime.now(UTC)))

    def _of(self, table: sa.Table, model: str, kind: type[_Row]) -> list[_Row]:
        return self._all(sa.select(table).where(table.c.model == model).order_by(table.c.id), kind)

    def _all(self, query: sa.Select[Any], kind: type[_Row]) -> list[_Row]:
        names = [f.name for f in fields(cast(Any, kind))]
        with self._engine.connect() as link:
            return [kind(**{n: row[n] for n in names}) for row in link.execute(query).mappings()]


@cache
def _opened(url: str) -> Ledger:
    ledger = Ledger(url)
    ledger.create()
    return ledger


def _rules(promotions: list[Promotion], observation: Observation) -> bool:
    period = champion_at(promotions, observation.window_start)
    return period is not None and period.version == observation.version


def _named(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"


def _row(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record)}


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
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, default=str)
    return value


def _patient(connection: Any, _: Any) -> None:
    # Parallel windows write at once: wait for the lock instead of failing.
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")

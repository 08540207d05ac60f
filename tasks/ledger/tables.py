"""The ledger's tables: what each column holds, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator


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


META = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any], unique: tuple[str, ...]) -> sa.Table:
    return sa.Table(
        name,
        META,
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


OBSERVATIONS = _table(
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
PROPOSALS = _table(
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
    _number("target", optional=True),
    unique=("proposal",),
)
DECISIONS = _table(
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
CANDIDATES = _table(
    "candidates",
    _text("proposal"),
    _number("version"),
    _text("run_id", 64),
    _text("artifact_digest", 64),
    _text("spec_digest", 64),
    _text("data_digest", 64),
    _time("trained_until"),
    _json("metrics"),
    _json("gates"),
    _json("reference"),
    unique=("proposal",),
)
PROMOTIONS = _table(
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
QUESTIONS = _table(
    "questions",
    _text("proposal"),
    _text("step", 20),
    _text("evidence", 64),
    _json("asked"),
    unique=("proposal", "step", "evidence"),
)
ADOPTIONS = _table(
    "adoptions",
    _number("position"),
    _text("head", 64),
    _text("by"),
    _prose("reason"),
    _json("lost"),
    unique=("position",),
)
FREEZES = _table(
    "freezes",
    _number("number"),
    _text("state", 20),
    _text("by"),
    _prose("reason"),
    unique=("number",),
)
NOTICES = _table(
    "notices",
    _text("event"),
    _text("channel", 100),
    _number("attempt"),
    _text("severity", 20),
    _prose("message"),
    _text("within", optional=True),
    unique=("event", "channel", "attempt"),
)
DELIVERIES = _table(
    "deliveries",
    _text("event"),
    _text("channel", 100),
    _number("attempt"),
    _text("outcome", 20),
    _prose("detail"),
    unique=("event", "channel", "attempt"),
)
EXPIRIES = _table(
    "expiries",
    _number("number"),
    _text("kind", 20),
    _time("until"),
    _text("by"),
    _prose("policy"),
    _json("expired"),
    unique=("number",),
)
LOOKS = _table(
    "looks",
    _number("number"),
    _text("purpose", 20),
    _time("window_start"),
    _time("window_end"),
    _number("version"),
    _text("data_digest", 64),
    _text("by"),
    _text("ranked", 20),
    _number("rows"),
    _json("columns"),
    _text("shown", 2000),
    unique=("number",),
)
CHAIN = sa.Table(
    "chain",
    META,
    sa.Column("model", sa.String(100), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    _text("table_name", 60),
    _number("row_id"),
    _text("digest", 64),
)
SEALS = sa.Table(
    "seals",
    META,
    sa.Column("model", sa.String(100), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    _text("signer", 64),
    _text("signature", 200),
)

"""The tables of release 0.1, which wrote no schema number: what is there stays as it is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)
_META = sa.MetaData()


def upgrade() -> None:
    _META.create_all(op.get_bind())


def _table(name: str, *columns: sa.Column[Any], unique: tuple[str, ...]) -> None:
    sa.Table(
        name,
        _META,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(100), nullable=False),
        *columns,
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.UniqueConstraint("model", *unique),
    )


def _column(name: str, kind: Any, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=optional)


def _by_position(name: str, *columns: sa.Column[Any]) -> None:
    sa.Table(
        name,
        _META,
        sa.Column("model", sa.String(100), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        *columns,
    )


_table(
    "observations",
    _column("version", sa.Integer),
    _column("window_start", _TIME),
    _column("window_end", _TIME),
    _column("revision", sa.Integer),
    _column("spec_digest", sa.String(64)),
    _column("data_digest", sa.String(64)),
    _column("verdict", sa.String(20)),
    _column("reason", sa.Text),
    _column("pressure", sa.Float, optional=True),
    _column("figures", sa.JSON),
    unique=("version", "window_start", "window_end", "revision"),
)
_table(
    "proposals",
    _column("proposal", sa.String(250)),
    _column("kind", sa.String(20)),
    _column("reason", sa.Text),
    _column("episode", sa.String(250), optional=True),
    _column("champion", sa.Integer, optional=True),
    _column("trained_from", _TIME),
    _column("trained_until", _TIME),
    _column("proposer", sa.String(250)),
    _column("spec_digest", sa.String(64)),
    _column("target", sa.Integer, optional=True),
    unique=("proposal",),
)
_table(
    "decisions",
    _column("proposal", sa.String(250)),
    _column("step", sa.String(20)),
    _column("answer", sa.String(20)),
    _column("by", sa.String(250)),
    _column("comment", sa.Text),
    _column("evidence", sa.String(64)),
    _column("effective_from", _TIME),
    unique=("proposal", "step"),
)
_table(
    "candidates",
    _column("proposal", sa.String(250)),
    _column("version", sa.Integer),
    _column("run_id", sa.String(64)),
    _column("artifact_digest", sa.String(64)),
    _column("spec_digest", sa.String(64)),
    _column("data_digest", sa.String(64)),
    _column("trained_until", _TIME),
    _column("metrics", sa.JSON),
    _column("gates", sa.JSON),
    _column("reference", sa.JSON),
    unique=("proposal",),
)
_table(
    "promotions",
    _column("number", sa.Integer),
    _column("proposal", sa.String(250)),
    _column("version", sa.Integer),
    _column("expected", sa.Integer, optional=True),
    _column("effective_from", _TIME),
    _column("by", sa.String(250)),
    _column("reason", sa.Text),
    unique=("number",),
)
_table(
    "questions",
    _column("proposal", sa.String(250)),
    _column("step", sa.String(20)),
    _column("evidence", sa.String(64)),
    _column("asked", sa.JSON),
    unique=("proposal", "step", "evidence"),
)
_table(
    "adoptions",
    _column("position", sa.Integer),
    _column("head", sa.String(64)),
    _column("by", sa.String(250)),
    _column("reason", sa.Text),
    _column("lost", sa.JSON),
    unique=("position",),
)
_by_position(
    "chain",
    _column("table_name", sa.String(60)),
    _column("row_id", sa.Integer),
    _column("digest", sa.String(64)),
)
_by_position("seals", _column("signer", sa.String(64)), _column("signature", sa.String(200)))

"""The tables of freezes and of messages: who stopped a model, and who was told what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _table(
        "freezes",
        _column("number", sa.Integer),
        _column("state", sa.String(20)),
        _column("by", sa.String(250)),
        _column("reason", sa.Text),
        unique=("number",),
    )
    _table(
        "notices",
        _column("event", sa.String(250)),
        _column("channel", sa.String(100)),
        _column("attempt", sa.Integer),
        _column("severity", sa.String(20)),
        _column("message", sa.Text),
        _column("within", sa.String(250), optional=True),
        unique=("event", "channel", "attempt"),
    )
    _table(
        "deliveries",
        _column("event", sa.String(250)),
        _column("channel", sa.String(100)),
        _column("attempt", sa.Integer),
        _column("outcome", sa.String(20)),
        _column("detail", sa.Text),
        unique=("event", "channel", "attempt"),
    )


def _table(name: str, *columns: sa.Column[Any], unique: tuple[str, ...]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(100), nullable=False),
        *columns,
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.UniqueConstraint("model", *unique),
    )


def _column(name: str, kind: Any, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=optional)

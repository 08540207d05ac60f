"""What was thinned or removed by a retention policy, by whom; figures may be thinned, with a word.

The trigger that refused every update of an observation goes, and `triggers.protect` makes the one
that lets figures be thinned which an expiry names.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "expiries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(250), nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("expired", sa.JSON, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("model", "number"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("drop trigger if exists observations_append_only_update")
    else:
        op.execute("drop trigger if exists observations_append_only on observations")

"""Write that somebody looks at rows, before any is shown; on a connection that has the model alone.

See docs/decisions/040-a-look-is-recorded-before-a-row-is-shown.md.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from tasks.ledger import sealing
from tasks.ledger.records import RowLook
from tasks.ledger.stored import row_of
from tasks.ledger.tables import LOOKS


def record_look(link: sa.Connection, look: RowLook) -> RowLook:
    """Append a look under its model's next number; return it with that."""
    newest = sa.select(sa.func.max(LOOKS.c.number)).where(LOOKS.c.model == look.model)
    made = replace(look, number=int(link.execute(newest).scalar() or 0) + 1)
    sealing.append(link, LOOKS, {**row_of(made), "recorded_at": datetime.now(UTC)})
    return made

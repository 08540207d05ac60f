"""Write what a retention policy takes away, and take it away from the figures, in one transaction.

The connection is one on which the model is locked. See docs/decisions/034-figures-are-thinned.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tasks.ledger import chain, sealing
from tasks.ledger.records import Expiry, ExpiryKind
from tasks.ledger.stored import row_of
from tasks.ledger.tables import EXPIRIES, OBSERVATIONS
from tasks.ledger.thinning import thinned

AT_ONCE = 500  # rows that one expiry names


def thin(
    link: sa.Connection, *, model: str, until: datetime, by: str, policy: str
) -> Expiry | None:
    """Thin the figures of up to 500 windows that end by `until`, oldest first; None: none is left.

    The expiry names each row with its digest as it then is. Its link stays as it was, so that the
    chain holds. PostgreSQL lets only a role do so that may update `observations`.
    """
    now, number = datetime.now(UTC), _next(link, model)
    told = {"number": number, "on": f"{now:%Y-%m-%d}", "policy": policy}
    rows: dict[int, dict[str, Any]] = {}
    c = OBSERVATIONS.c
    query = sa.select(OBSERVATIONS).where(c.model == model, c.window_end <= until)
    query = query.order_by(c.window_end, c.id).execution_options(yield_per=100)
    with link.execute(query) as found:
        for row in found.mappings():
            if (figures := thinned(row["figures"], told)) is not None:
                rows[row["id"]] = {**row, "figures": figures}
            if len(rows) == AT_ONCE:
                break
    if not rows:
        return None
    digests = {str(n): chain.thinned_digest(OBSERVATIONS.name, one) for n, one in rows.items()}
    # First what allows it, and then the change: the trigger looks.
    made = record_expiry(
        link, model=model, kind="figures", until=until, by=by, policy=policy, expired=digests
    )
    for row_id, one in rows.items():
        link.execute(sa.update(OBSERVATIONS).where(c.id == row_id).values(figures=one["figures"]))
    return made


def record_expiry(
    link: sa.Connection,
    *,
    model: str,
    kind: ExpiryKind,
    until: datetime,
    by: str,
    policy: str,
    expired: Mapping[str, str],
) -> Expiry:
    """Append what goes; of files before they are removed."""
    made = Expiry(
        model=model,
        number=_next(link, model),
        kind=kind,
        until=until,
        by=by,
        policy=policy,
        expired=expired,
    )
    sealing.append(link, EXPIRIES, {**row_of(made), "recorded_at": datetime.now(UTC)})
    return made


def may_thin(link: sa.Connection) -> bool:
    """Return whether this role may update the figures of windows."""
    if link.dialect.name != "postgresql":
        return True
    right = sa.func.has_column_privilege(OBSERVATIONS.name, "figures", "update")
    return bool(link.scalar(sa.select(right)))


def unexpired(link: sa.Connection, model: str, until: datetime) -> datetime | None:
    """Return when the oldest window ends that ended by `until` and no expiry of figures reached."""
    e, o = EXPIRIES.c, OBSERVATIONS.c
    reached = link.scalar(
        sa.select(sa.func.max(e.until)).where(e.model == model, e.kind == "figures")
    )
    after = [] if reached is None else [o.window_end > reached]
    query = sa.select(sa.func.min(o.window_end)).where(o.model == model, o.window_end <= until)
    found: datetime | None = link.scalar(query.where(*after))
    return found


def _next(link: sa.Connection, model: str) -> int:
    newest = sa.select(sa.func.max(EXPIRIES.c.number)).where(EXPIRIES.c.model == model)
    return int(link.execute(newest).scalar() or 0) + 1

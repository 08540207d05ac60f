"""The chain through a model's ledger: each link seals one row and, with it, all rows before. Pure.

A link's digest covers the digest before it, so whoever alters, removes, inserts or swaps rows has
to rewrite every later link as well, and then no digest that somebody kept fits any more.
Reference: Haber & Stornetta, *How to time-stamp a digital document*, J. Cryptology 3, 1991.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]  # every stored column, `id` included


@dataclass(frozen=True)
class Link:
    """The `position`-th row that was written about a model, counted from 1, over all tables."""

    position: int
    table_name: str
    row_id: int
    digest: str


@dataclass(frozen=True)
class Trail:
    """All that a ledger holds about a model at one moment: its chain, and its rows.

    `links` stand in the order of position; `rows` are found by table and id.
    """

    links: list[Link]
    rows: Mapping[tuple[str, int], Row]

    @property
    def head(self) -> str | None:
        """Return the newest digest, which stands for all that was written so far."""
        return self.links[-1].digest if self.links else None


def link(before: Link | None, table_name: str, row: Row) -> Link:
    """Return the link that seals a stored row behind the link before it.

    Parameters
    ----------
    row
        As the database returns it.

    Raises
    ------
    TypeError
        If a value is neither JSON nor a datetime.
    """
    position = before.position + 1 if before else 1
    # An empty column is left out, so that a column added later does not break older links.
    filled = {name: value for name, value in row.items() if value is not None}
    sealed = [before.digest if before else "", position, table_name, filled]
    canonical = json.dumps(sealed, sort_keys=True, separators=(",", ":"), default=_moment)
    return Link(position, table_name, row["id"], hashlib.sha256(canonical.encode()).hexdigest())


def fault(trail: Trail, kept: Mapping[str, str] | None = None) -> str | None:
    """Return a sentence on the first row that is not as it was recorded; None if all are.

    Parameters
    ----------
    kept
        Digests that once were the chain's head → where each was kept. Without one, rows taken off
        the end together with their links are not missed.
    """
    before: Link | None = None
    seen: set[tuple[str, int]] = set()
    heads: set[str] = set()
    for found in trail.links:
        expected = before.position + 1 if before else 1
        if found.position != expected:
            return f"link {expected} of the chain is missing: the next one is {found.position}"
        row = trail.rows.get((found.table_name, found.row_id))
        if row is None:
            return f"{_named(found)} was removed"
        if link(before, found.table_name, row).digest != found.digest:
            return f"{_named(found)} is not as it was recorded: it, or its link, was altered"
        seen.add((found.table_name, found.row_id))
        heads.add(found.digest)
        before = found
    for table, row_id in sorted(trail.rows.keys() - seen):
        return f"row {row_id} of {table} has no link: it was not written by the ledger"
    for digest, where in (kept or {}).items():
        if digest not in heads:
            return (
                f"the head {digest[:12]}… kept {where} is not in the chain: rows up to it were "
                "removed, or the chain was written anew"
            )
    return None


def _named(found: Link) -> str:
    return f"row {found.row_id} of {found.table_name} (link {found.position})"


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{value!r} has no canonical form: a ledger row holds JSON and datetimes")

"""The chain through a model's ledger: each link holds one row and, with it, all before. Pure.

A link's digest covers the digest before it, so whoever alters, removes, inserts or swaps rows has
to rewrite every later link as well, and then no digest that somebody kept fits any more.
Reference: Haber & Stornetta, *How to time-stamp a digital document*, J. Cryptology 3, 1991.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tasks.errors import Final

Row = Mapping[str, Any]  # every stored column, `id` included


class LedgerRefused(Final):
    """The ledger is not as it was recorded, or not by who might: names the row and the way out."""

    def __init__(self, model: str, fault: str) -> None:
        super().__init__(
            f"the ledger of {model} is refused: {fault}; nothing is done on its word. Look at all "
            f"of it with `python -m tasks audit {model} --verify`, then restore it from a backup; "
            f"rows from before signatures are taken in with `python -m tasks audit {model} --adopt`"
        )


@dataclass(frozen=True)
class Link:
    """The `position`-th row that was written about a model, counted from 1, over all tables."""

    position: int
    table_name: str
    row_id: int
    digest: str


@dataclass(frozen=True)
class Seal:
    """The signature over a link, by the key of that fingerprint; in base64."""

    position: int
    signer: str
    signature: str


@dataclass(frozen=True)
class Counted:
    """How many rows of a table there are, and how many links to it."""

    rows: int
    links: int


@dataclass(frozen=True)
class Trail:
    """All that a ledger holds about a model at one moment: its chain, and its rows.

    `links` stand in the order of position; `rows` are found by table and id, `seals` by position.
    Of `unread` tables there is no row but the count of rows and of links, and of all links those
    alone that the other rows, and the newest link, are verified by; `length` says how many there
    are.
    """

    links: list[Link]
    rows: Mapping[tuple[str, int], Row]
    seals: Mapping[int, Seal] = field(default_factory=dict)
    unread: Mapping[str, Counted] = field(default_factory=dict)
    length: int | None = None  # None: all links are there

    @property
    def head(self) -> str | None:
        """Return the newest digest, which stands for all that was written so far."""
        return self.links[-1].digest if self.links else None

    def at(self, position: int) -> Link | None:
        """Return the link at a position; None if there is none, or it was not read."""
        if self.length is None and 0 < position <= len(self.links):
            found = self.links[position - 1]
            return found if found.position == position else None
        return next((link for link in self.links if link.position == position), None)


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
    return Link(position, table_name, row["id"], _digest(sealed))


def thinned_digest(table_name: str, row: Row) -> str:
    """Return the digest by which an expiry names a row as it is once its figures are thinned."""
    return _digest(
        ["thinned", table_name, {name: value for name, value in row.items() if value is not None}]
    )


def _digest(sealed: Any) -> str:
    canonical = json.dumps(sealed, sort_keys=True, separators=(",", ":"), default=_moment)
    return hashlib.sha256(canonical.encode()).hexdigest()


def chain_fault(trail: Trail) -> str | None:
    """Return a sentence on the first row that is not as it was recorded; None if all are.

    Rows taken off the end together with their links are missed by whoever kept a head alone.
    """
    seen: set[tuple[str, int]] = set()
    if trail.length is not None and trail.length != (
        trail.links[-1].position if trail.links else 0
    ):
        return f"the chain has {trail.length} links up to link {trail.links[-1].position}"
    before: Link | None = None
    for found in trail.links:
        follows = before is not None and before.position + 1 == found.position
        if trail.length is None and not follows and found.position != 1:
            expected = before.position + 1 if before else 1
            return f"link {expected} of the chain is missing: the next one is {found.position}"
        if found.table_name not in trail.unread:
            row = trail.rows.get((found.table_name, found.row_id))
            if row is None:
                return f"{named(found)} was removed"
            if not follows and found.position != 1:
                return f"link {found.position - 1} of the chain is missing"
            made = link(before if follows else None, found.table_name, row)
            if made.digest != found.digest and not _thinned(trail, found, row):
                return f"{named(found)} is not as it was recorded: it, or its link, was altered"
        seen.add((found.table_name, found.row_id))
        before = found
    for table, row_id in sorted(trail.rows.keys() - seen):
        return f"row {row_id} of {table} has no link: it was not written by the ledger"
    for table, count in trail.unread.items():
        if count.rows != count.links:
            return (
                f"{table} has {count.rows} rows and {count.links} links: some were removed or added"
            )
    return None


def _thinned(trail: Trail, of: Link, row: Row) -> bool:
    """Return whether an expiry says that a row is now as it stands here: its link stays as it was.

    The expiry is a row of the chain itself, so that whoever may write vouches for the digest.
    """
    if of.table_name != "observations":
        return False
    said = thinned_digest(of.table_name, row)
    return any(
        table == "expiries"
        and expiry["kind"] == "figures"
        and expiry["expired"].get(str(of.row_id)) == said
        for (table, _), expiry in trail.rows.items()
    )


def named(found: Link) -> str:
    """Return how a row is called in messages."""
    return f"row {found.row_id} of {found.table_name} (link {found.position})"


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{value!r} has no canonical form: a ledger row holds JSON and datetimes")

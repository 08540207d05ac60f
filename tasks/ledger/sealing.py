"""Append a row of the ledger with its link and signature, and read them back, on one connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from tasks.ledger import chain, seals
from tasks.ledger.chain import LedgerRefused, Link, Seal, Trail
from tasks.ledger.tables import ADOPTIONS, CHAIN, META, PROMOTIONS, SEALS
from tasks.signing.keyring import KeyUnusable


def append(link: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Write a row, its link and its signature; the transaction holds the model's lock.

    Nothing is written behind a row that is not signed, so no honest row ever stands on a forged
    one, but for the word of a person who adopts what is there.

    Raises
    ------
    LedgerRefused
        If the newest row is not signed by a key that might write it.
    tasks.signing.keyring.KeyUnusable
        If there is no key to sign or verify with, or none that may write this row.
    """

    model = row["model"]
    writing = sa.insert(table).values(**row).returning(table.c.id)
    row_id = link.execute(writing).scalar_one()
    # Sealed as it reads from now on; RETURNING gives 1 where SQLite then reads 1.0.
    stored = dict(link.execute(sa.select(table).where(table.c.id == row_id)).mappings().one())
    before = newest(link, model)
    new = chain.link(before, table.name, stored)
    made, keys = seals.seal(model, new), seals.trusted()
    if why := seals.refusal(model, new, stored, made, keys):
        raise KeyUnusable(f"{model}: nothing is written: {why}; see GATELATCH_VERIFY_KEY")
    if before is not None and table is not ADOPTIONS:
        there = _row(link, before)
        if there is None:
            raise LedgerRefused(model, f"{chain.named(before)} was removed")
        if why := seals.refusal(model, before, there, _seal(link, model, before), keys):
            raise LedgerRefused(model, why)
    link.execute(sa.insert(CHAIN).values(model=model, **asdict(new)))
    link.execute(sa.insert(SEALS).values(model=model, **asdict(made)))


def head(link: sa.Connection, model: str) -> tuple[Link, Seal | None] | None:
    """Return the newest link and the signature on it; None if there is none."""
    found = newest(link, model)
    return (found, _seal(link, model, found)) if found else None


def head_at(link: sa.Connection, model: str, promotion: int) -> tuple[Link, Seal | None]:
    """Return the link of a model's promotion of this number, and the signature on it."""
    c, t = CHAIN.c, PROMOTIONS.c
    query = (
        _links(model)
        .join(PROMOTIONS, (c.model == t.model) & (c.row_id == t.id))
        .where(c.table_name == PROMOTIONS.name, t.number == promotion)
    )
    found = Link(*link.execute(query).one())
    return found, _seal(link, model, found)


def trail(link: sa.Connection, model: str, unread: frozenset[str]) -> Trail:
    """Return all that the ledger holds about a model; of `unread` tables the rows' count.

    The connection is one on which all that is read is of one moment.
    """
    links = [Link(*found) for found in link.execute(_links(model).order_by(CHAIN.c.position))]
    seal = _seals(model)
    if unread:  # of those the newest alone is looked at
        read = CHAIN.c.table_name.not_in(unread) | (CHAIN.c.position == len(links))
        same = (CHAIN.c.model == SEALS.c.model) & (CHAIN.c.position == SEALS.c.position)
        seal = seal.join(CHAIN, same).where(read)
    made = {found[0]: Seal(*found) for found in link.execute(seal)}
    tables = [table for table in META.sorted_tables if table not in (CHAIN, SEALS)]
    rows = {
        (table.name, row["id"]): dict(row)
        for table in tables
        if table.name not in unread
        for row in link.execute(sa.select(table).where(table.c.model == model)).mappings()
    }
    counts = {
        table.name: link.execute(
            sa.select(sa.func.count()).select_from(table).where(table.c.model == model)
        ).scalar_one()
        for table in tables
        if table.name in unread
    }
    return Trail(links, rows, made, counts)


def _links(model: str) -> sa.Select[Any]:
    return sa.select(*(CHAIN.c[f.name] for f in fields(Link))).where(CHAIN.c.model == model)


def _seals(model: str) -> sa.Select[Any]:
    return sa.select(*(SEALS.c[f.name] for f in fields(Seal))).where(SEALS.c.model == model)


def links_from(link: sa.Connection, model: str, position: int) -> list[Link]:
    """Return a model's links from a position on, that one included, in their order."""
    query = _links(model).where(CHAIN.c.position >= position).order_by(CHAIN.c.position)
    return [Link(*found) for found in link.execute(query)]


def newest(link: sa.Connection, model: str) -> Link | None:
    """Return the newest link of a model; None if it has none."""
    found = link.execute(_links(model).order_by(CHAIN.c.position.desc()).limit(1)).first()
    return Link(*found) if found else None


def _seal(link: sa.Connection, model: str, of: Link) -> Seal | None:
    found = link.execute(_seals(model).where(SEALS.c.position == of.position)).first()
    return Seal(*found) if found else None


def _row(link: sa.Connection, of: Link) -> dict[str, Any] | None:
    table = META.tables.get(of.table_name)
    if table is None or "id" not in table.c:
        return None
    found = link.execute(sa.select(table).where(table.c.id == of.row_id)).mappings().first()
    return dict(found) if found else None

"""Append a row of the ledger with its link and signature, and read them back, on one connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from tasks.ledger import chain, seals
from tasks.ledger.chain import Counted, LedgerRefused, Link, Seal, Trail
from tasks.ledger.records import Question
from tasks.ledger.tables import ADOPTIONS, CHAIN, META, PROMOTIONS, QUESTIONS, SEALS
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


def head_of_question(link: sa.Connection, question: Question) -> Link | None:
    """Return the link of a question's row; None if it has none."""
    c, t = CHAIN.c, QUESTIONS.c
    query = (
        _links(question.model)
        .join(QUESTIONS, (c.model == t.model) & (c.row_id == t.id))
        .where(
            c.table_name == QUESTIONS.name,
            t.proposal == question.proposal,
            t.step == question.step,
            t.evidence == question.evidence,
        )
    )
    found = link.execute(query).first()
    return Link(*found) if found else None


def trail(link: sa.Connection, model: str) -> Trail:
    """Return all that the ledger holds about a model.

    The connection is one on which all that is read is of one moment.
    """
    links = [Link(*found) for found in link.execute(_links(model).order_by(CHAIN.c.position))]
    made = {found[0]: Seal(*found) for found in link.execute(_seals(model))}
    return Trail(links, _rows(link, model, frozenset()), made)


def trail_without(
    link: sa.Connection, model: str, unread: frozenset[str], heads: Iterable[tuple[int | None, str]]
) -> Trail:
    """Return what `trail` does without the rows of `unread` tables; see `Trail`.

    Parameters
    ----------
    heads
        Position, if known, and digest of links that are read as well, if they are there.
    """
    c = CHAIN.c
    rows = _rows(link, model, unread)
    # From 1 on: whoever took one out cannot make up for it before the first.
    counted = sa.select(c.table_name, sa.func.count()).where(c.model == model, c.position >= 1)
    linked = {str(row[0]): int(row[1]) for row in link.execute(counted.group_by(c.table_name))}
    last = newest(link, model)
    written = link.execute(_links(model).where(c.table_name.not_in(unread)))
    found = {one.position: one for one in (Link(*row) for row in written)}
    if last is not None:
        found[last.position] = last
    vouched = [row["position"] for (name, _), row in rows.items() if name == ADOPTIONS.name]
    known = list(heads)
    wanted = {*vouched, *(position for position, _ in known if position is not None)}
    wanted |= {position - 1 for position in found}
    unplaced = [digest for position, digest in known if position is None]
    also = sa.or_(c.position.in_(wanted - found.keys()), c.digest.in_(unplaced))
    found |= {
        one.position: one for one in (Link(*row) for row in link.execute(_links(model).where(also)))
    }
    read = [p for p, one in found.items() if one.table_name not in unread or one is last]
    made = {
        one[0]: Seal(*one) for one in link.execute(_seals(model).where(SEALS.c.position.in_(read)))
    }
    counts = {name: Counted(_count(link, model, name), linked.get(name, 0)) for name in unread}
    links = [found[position] for position in sorted(found)]
    return Trail(links, rows, made, counts, sum(linked.values()))


def _rows(
    link: sa.Connection, model: str, unread: frozenset[str]
) -> dict[tuple[str, int], dict[str, Any]]:
    return {
        (table.name, row["id"]): dict(row)
        for table in META.sorted_tables
        if table not in (CHAIN, SEALS) and table.name not in unread
        for row in link.execute(sa.select(table).where(table.c.model == model)).mappings()
    }


def _count(link: sa.Connection, model: str, name: str) -> int:
    table = META.tables[name]
    query = sa.select(sa.func.count()).select_from(table).where(table.c.model == model)
    return int(link.execute(query).scalar_one())


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

"""A ledger as honest processes write it, and what somebody without a key can do to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.audit import heads, verification
from tasks.audit.heads import Head
from tasks.ledger import chain, seals
from tasks.ledger.chain import Link, Row, Seal, Trail
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Proposal, Question
from tasks.ledger.tables import CHAIN, META, SEALS
from tasks.signing import keyring
from tests.support.rows import day, decision, observation, proposal, registered

ASKED = [["ada", "ada"], ["2", "grace"]]
Written = Sequence[tuple[str, Row]]


def ask(ledger: Ledger, name: str, step: str, model: str = "churn") -> None:
    ledger.ask(Question(model=model, proposal=name, step=step, evidence="shown", asked=ASKED))


def approve(ledger: Ledger, name: str, step: str, by: str = "ada", model: str = "churn") -> None:
    ask(ledger, name, step, model)
    ledger.decide(decision(model=model, proposal=name, step=step, by=by))


def version(ledger: Ledger, number: int, model: str = "churn") -> None:
    """Write all that makes the next version champion."""
    name, before = f"p{number}", number - 1 or None
    ledger.propose(proposal(name, model=model, champion=before))
    approve(ledger, name, "retrain", model=model)
    ledger.add_candidate(registered(model=model, proposal=name, version=number))
    approve(ledger, name, "promote", "grace", model)
    move(ledger, name, number, before, "grace", model)


def move(
    ledger: Ledger, name: str, to: int, expected: int | None, by: str, model: str = "churn"
) -> None:
    ledger.promote(
        model, name, version=to, expected=expected, effective_from=day(9), by=by, reason="drift"
    )


def honest(ledger: Ledger, model: str = "churn") -> None:
    """Write two versions, windows, a refusal, and a rollback by hand."""
    version(ledger, 1, model)
    for number in (9, 10):
        ledger.observe(observation(number, model=model))
    ledger.observe(observation(9, model=model, data_digest="new"))
    version(ledger, 2, model)
    ledger.propose(proposal("p3", model=model, champion=2))
    ledger.decide(decision("rejected", model=model, proposal="p3", comment="no"))
    ledger.propose(rollback(model))
    ledger.decide(decision(model=model, proposal="back", step="rollback", by="otto"))
    move(ledger, "back", 1, 2, "otto", model)
    ledger.observe(observation(11, model=model))


def rollback(model: str = "churn") -> Proposal:
    return proposal("back", model=model, kind="rollback", champion=2, target=1)


def fault(ledger: Ledger, kept: Sequence[Head] = (), model: str = "churn") -> str | None:
    return verification.ledger_fault(model, ledger.trail(model), seals.trusted(), kept)


def head(ledger: Ledger, model: str = "churn") -> Head:
    """Return the newest head, as somebody keeps it."""
    link, made = ledger.head(model) or (None, None)
    assert link is not None
    assert made is not None
    return heads.from_text(model, heads.head_to_json(model, link, made), "elsewhere")


@contextmanager
def signing_with(path: Path, answers: bool = False, trusted: bool = True) -> Iterator[None]:
    """Write with a key of one's own: of a worker, or the one for people's answers."""
    workers = keyring.public_paths()
    with pytest.MonkeyPatch.context() as patch:
        named = "GATELATCH_ANSWER_KEY" if answers else "GATELATCH_SIGNING_KEY"
        patch.setenv(named, str(path))
        if answers:
            patch.setenv("GATELATCH_SIGNING_KEY", str(path.with_name("absent.pem")))
        keyring.create_keys()
        path.with_name("absent.pem").unlink(missing_ok=True)
        public = [*workers, path.with_suffix(".pub")] if trusted and not answers else workers
        patch.setenv("GATELATCH_VERIFY_KEY", os.pathsep.join(map(str, public)))
        yield


@contextmanager
def as_owner(ledger: Ledger) -> Iterator[sa.Connection]:
    """Yield a connection with the triggers taken away, as an owner of the tables can."""
    with ledger._engine.begin() as db:
        if db.dialect.name == "postgresql":
            db.execute(sa.text("set local session_replication_role = replica"))
        else:
            query = "select name from sqlite_master where type = 'trigger'"
            for name in db.execute(sa.text(query)).scalars().all():
                db.execute(sa.text(f"drop trigger {name}"))
        yield db


def forge(ledger: Ledger, table: str, seal: Seal | None = None, **row: Any) -> None:
    """Append a row with a link that is right, as INSERT alone can; signed as one is told to."""
    to = META.tables[table]
    row = {"recorded_at": datetime.now(UTC), **row}
    with ledger._engine.begin() as db:
        new = db.execute(sa.insert(to).values(**row).returning(to.c.id)).scalar_one()
        stored = dict(db.execute(sa.select(to).where(to.c.id == new)).mappings().one())
        last, _ = ledger.head(row["model"]) or (None, None)
        made = chain.link(last, table, stored)
        db.execute(sa.insert(CHAIN).values(model=row["model"], **asdict(made)))
        if seal is not None:
            known = {**asdict(seal), "position": made.position}
            db.execute(sa.insert(SEALS).values(model=row["model"], **known))


def written(trail: Trail) -> list[tuple[str, Row]]:
    """Return the rows of a trail in the order of writing."""
    return [(link.table_name, trail.rows[link.table_name, link.row_id]) for link in trail.links]


def relinked(rows: Written, made: dict[int, Seal]) -> Trail:
    """Return a trail of these rows whose chain was computed anew, which takes no secret."""
    links: list[Link] = []
    for table, row in rows:
        links.append(chain.link(links[-1] if links else None, table, row))
    return Trail(links, {(table, row["id"]): row for table, row in rows}, made)

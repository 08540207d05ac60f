"""A model with years of daily windows, written and signed as in production, among others."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from benchmarks.ledger import made
from benchmarks.ledger.timing import use_folder
from tasks.ledger import sealing
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Candidate, Decision, Proposal, Question
from tasks.ledger.tables import CHAIN, META, OBSERVATIONS, SEALS
from tasks.signing import keyring

MODEL = made.name(0)


def fill_years(models: int, windows: int) -> None:
    """Write one model as production does, and beside it others that have as many rows."""
    ledger = Ledger(use_folder(models))
    keyring.create_keys()
    ledger.create()
    _champion(ledger)
    rng = random.Random(0)
    with ledger._engine.begin() as link:
        for number in range(windows):
            sealing.append(link, OBSERVATIONS, made.observation(MODEL, number, rng))
    for number in range(1, models):
        _copy(ledger, made.name(number))


def _champion(ledger: Ledger) -> None:
    """Write all that makes a first champion."""
    ledger.propose(
        Proposal(
            model=MODEL,
            proposal="first",
            kind="retrain",
            reason="bootstrap",
            episode=None,
            champion=None,
            trained_from=made.START - 30 * made.DAY,
            trained_until=made.START,
            proposer="otto",
            spec_digest="5" * 64,
        )
    )
    for step in ("retrain", "promote"):
        question = Question(
            model=MODEL, proposal="first", step=step, evidence="shown", asked=[["ada", "ada"]]
        )
        ledger.ask(question)
        ledger.decide(
            Decision(
                model=MODEL,
                proposal="first",
                step=step,
                answer="approved",
                by="ada",
                comment="",
                evidence="shown",
                effective_from=made.START,
            )
        )
        if step == "retrain":
            ledger.add_candidate(
                Candidate(
                    model=MODEL,
                    proposal="first",
                    version=1,
                    run_id="run",
                    artifact_digest="a" * 64,
                    spec_digest="5" * 64,
                    data_digest="d" * 64,
                    trained_until=made.START,
                    metrics={},
                    gates=[{"name": "hinge_loss", "verdict": "passed"}],
                    reference={},
                )
            )
    ledger.promote(
        MODEL,
        "first",
        version=1,
        expected=None,
        effective_from=made.START,
        by="ada",
        reason="bootstrap",
    )


def _copy(ledger: Ledger, model: str) -> None:
    """Give another model the rows of the first; their links do not hold, and nobody looks."""
    with ledger._engine.begin() as link:
        moved = {}  # how far a table's new ids lie behind those that were copied
        for table in META.sorted_tables:
            if "id" not in table.c:
                continue
            last = sa.select(sa.func.max(table.c.id))
            first = link.execute(last.where(table.c.model == MODEL)).scalar()
            _insert(link, table, model, {}, table.c.id)
            moved[table.name] = (link.execute(last).scalar() or 0) - (first or 0)
        c = CHAIN.c
        by = sa.case(moved, value=c.table_name)
        _insert(link, CHAIN, model, {"row_id": c.row_id + by}, c.position)
        _insert(link, SEALS, model, {}, SEALS.c.position)


def _insert(
    link: sa.Connection,
    table: sa.Table,
    model: str,
    instead: Mapping[str, sa.ColumnElement[Any]],
    order: sa.ColumnElement[Any],
) -> None:
    values = {"model": sa.literal(model), **instead}
    names = [c.name for c in table.c if c.name != "id"]
    copied = [values.get(name, table.c[name]) for name in names]
    rows = sa.select(*copied).where(table.c.model == MODEL).order_by(order)
    link.execute(sa.insert(table).from_select(names, rows))

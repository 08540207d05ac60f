"""JSON in the ledger's columns, as somebody with the right to write its tables leaves it there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from tasks.drift.reference import reference_from_json, reference_to_json
from tasks.errors import GatelatchError
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.status_json import status_json
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.fuzz.target import READ, Target, refused
from tests.support import forging
from tests.support.judged import reference_from
from tests.support.stood import seen

CELLS = {
    b"f": ("observations", "figures"),
    b"m": ("candidates", "metrics"),
    b"g": ("candidates", "gates"),
    b"r": ("candidates", "reference"),
    b"q": ("questions", "asked"),
}
_SPEC = ModelSpec.model_validate(CHURN)


def ledger_target(folder: Path) -> Target:
    """Return what reads a ledger in which one cell was overwritten: its first byte says which."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.create()
    forging.version(ledger, 1)
    for number in (9, 10):
        ledger.observe(seen(number, 1.5))
    with forging.as_owner(ledger):
        pass
    made = reference_from(np.random.default_rng(0).normal(size=400))
    _overwrite(ledger, *CELLS[b"r"], json.dumps(reference_to_json(made)))
    honest = {cell: _cells(ledger, *place) for cell, place in CELLS.items()}
    before = dict(honest)

    def read(content: bytes) -> str:
        cell = content[:1] if content[:1] in CELLS else b"f"
        for other, place in CELLS.items():
            _overwrite(ledger, *place, before[other])
        _overwrite(ledger, *CELLS[cell], content[1:].decode("utf-8", "replace"))
        try:
            known = status.read(_SPEC, ledger)
            json.dumps(status_json(known), default=str)
            for one in ledger.observations("churn"):
                _ = one.numbers
            for candidate in ledger.candidates("churn"):
                reference_from_json(candidate.reference)
            ledger.questions("churn")
        except GatelatchError as error:
            return refused(error)
        return READ

    seeds = [cell + text.encode() for cell, text in honest.items()]
    return Target(seeds=seeds, read=read, folder=folder, longest=8192)


def _cells(ledger: Ledger, table: str, column: str) -> str:
    with ledger._engine.begin() as db:
        return str(db.execute(sa.text(f"select {column} from {table} limit 1")).scalar_one())


def _overwrite(ledger: Ledger, table: str, column: str, text: str) -> None:
    with ledger._engine.begin() as db:
        db.execute(sa.text(f"update {table} set {column} = :text"), {"text": text})

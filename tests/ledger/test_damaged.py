"""A cell that was overwritten is an error that names its row, and the audit finds that row."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from tasks.audit import verification
from tasks.drift.reference import reference_from_json
from tasks.formats import Damaged, OtherFormat
from tasks.ledger import seals, status
from tasks.ledger.ledger import Ledger
from tasks.ledger.status_json import status_json
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support import forging
from tests.support.stood import seen

SPEC = ModelSpec.model_validate(CHURN)
CELLS = [
    (
        "observations",
        "figures",
        "figures of (observation 2|the window .*) of churn",
    ),
    ("candidates", "metrics", "metrics of candidate 1 of churn"),
    ("candidates", "gates", "gates of candidate 1 of churn"),
    ("candidates", "reference", "reference"),
    ("questions", "asked", "asked of question 1 of churn"),
]
JSON = [
    "null",
    "5",
    '"text"',
    "[[[]]]",
    '[{"a": 1}, 5]',
    '{"format": [1]}',
    '{"statistics": [5]}',
    '{"calibration": 5}',
    "[[1, 2]]",
]
NONE = ["", "{", "{'a': 1}", "[" * 100_000, '{"a": 1} and more', "\x00"]


def _read(ledger: Ledger, column: str) -> str:
    """Return the error that reading ends in; nothing if all is read."""
    try:
        status_json(status.read(SPEC, ledger))
        for one in ledger.history("churn"):
            _ = one.numbers
        for candidate in ledger.candidates("churn"):
            if column == "reference":
                reference_from_json(candidate.reference)
        ledger.questions("churn")
    except (Damaged, OtherFormat) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("table", "column", "named"), CELLS)
def test_whatever_stands_in_a_cell_of_json_is_read_or_an_error_that_names_its_row(
    ledger: Ledger, table: str, column: str, named: str
) -> None:
    forging.version(ledger, 1)
    for number in (9, 10):
        ledger.observe(seen(number, 1.5))
    sqlite = ledger._engine.dialect.name == "sqlite"
    last = sa.text(f"select max(id) from {table}")
    refused = 0
    for text in [*JSON, *(NONE if sqlite else [])]:
        with forging.as_owner(ledger) as db:
            number = 1 if table != "observations" else db.execute(last).scalar_one()
            into = sa.text(f"update {table} set {column} = :text where id = {number}")
            db.execute(into if sqlite else _as_json(table, column, number), {"text": text})
        if said := _read(ledger, column):
            refused += 1
            assert re.search(named, said), said
        trail = ledger.trail("churn")
        found = verification.ledger_fault("churn", trail, seals.trusted())
        assert f"row {number} of {table}" in str(found), text
    assert refused >= len(JSON) // 2


def _as_json(table: str, column: str, number: int) -> sa.TextClause:
    return sa.text(f"update {table} set {column} = cast(:text as json) where id = {number}")

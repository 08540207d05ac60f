"""A look at rows is a row of the chain: signed, numbered, and part of the audit."""

from __future__ import annotations

from functools import partial

import pytest
import sqlalchemy as sa

from tasks.audit.events import events
from tasks.ledger import roles
from tasks.ledger.ledger import Ledger
from tasks.ledger.looking import record_look
from tasks.ledger.records import RowLook
from tasks.ledger.tables import LOOKS
from tests.ledger.test_roles import as_role, owned, role
from tests.support.forging import as_owner, fault, version
from tests.support.rows import day

__all__ = ["owned", "role"]
LOOK = RowLook(
    model="churn",
    purpose="worst",
    window_start=day(9),
    window_end=day(10),
    version=1,
    data_digest="d" * 64,
    by="ada",
    ranked="loss",
    rows=50,
    columns=["x"],
    shown="on a terminal",
)


def look(ledger: Ledger) -> RowLook:
    return ledger.alone("churn", partial(record_look, look=LOOK))


def test_each_look_has_the_next_number_is_signed_and_stands_in_the_audit(ledger: Ledger) -> None:
    version(ledger, 1)
    assert [look(ledger).number for _ in range(3)] == [1, 2, 3]
    assert fault(ledger) is None
    told = events(ledger.trail("churn"))[-1]
    assert told.by == "ada"
    assert told.why == "on a terminal"
    assert told.what == (
        "50 rows of the window from 2026-01-09 looked at (worst by loss, version 1), with x"
    )


def test_a_look_cannot_be_taken_back(ledger: Ledger) -> None:
    version(ledger, 1)
    look(ledger)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger._engine.begin() as link:
        link.execute(sa.delete(LOOKS))
    with as_owner(ledger) as link:
        link.execute(sa.update(LOOKS).values(by="otto"))
    assert "is not as it was recorded" in str(fault(ledger))


def test_the_role_that_only_appends_may_record_a_look(owned: str, role: str) -> None:
    roles.grant(owned, writers=[role], readers=[])
    ledger = Ledger(as_role(owned, role))
    assert look(ledger).number == 1
    ledger.close()

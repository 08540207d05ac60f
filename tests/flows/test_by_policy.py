"""Where no person decides on a promotion, what learnt from broken rows is not promoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.audit import verification
from tasks.flows import asking
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import POLICY, Decision
from tasks.notices import event_kinds
from tasks.promotion import decisions, promotion
from tasks.promotion.data_faults import data_faults
from tasks.promotion.proposals import NotApproved
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.flow import FIRST, SPEC, At, answer, beginning, land, propose, read, register

ALONE = ModelSpec.model_validate({**SPEC, "approval": {"promote": "automatic"}})


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    begin = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    monkeypatch.setattr(flow, "MODEL", ALONE)
    return begin


def candidate(*, broken: bool) -> Decision:
    """Return what the policy says of a candidate, of rows in which x is twenty times too large."""
    for number in (9, 10) if broken else ():
        land(number, x=20 * flow.rows(number)["x"])
    for number in range(6, 11):
        flow.watch(number)
    propose()
    register(FIRST)
    asking.to_promote(ALONE, FIRST, "/dags/here")
    return decisions.decide(ALONE, FIRST, "promote", None)


def test_a_policy_promotes_what_learnt_from_sound_rows(at: At) -> None:
    at("bootstrapped")
    said = candidate(broken=False)
    assert (said.answer, said.by) == ("approved", POLICY)
    assert promotion.promote(ALONE, FIRST).version == 2


def test_a_policy_refuses_what_learnt_from_broken_rows_though_no_gate_failed(at: At) -> None:
    at("bootstrapped")
    said = candidate(broken=True)
    assert all(gate["verdict"] != "failed" for gate in read().candidates[-1].gates)
    assert (said.answer, said.by) == ("rejected", POLICY)
    assert "hold a data fault, broken scaling: x varies" in said.comment
    assert "in 2 of 2 windows of these rows, first in that of 2026-01-09 00:00" in said.comment
    assert "repair the feature where it is made" in said.comment
    assert "write approval.promote: human and propose again" in said.comment
    with pytest.raises(NotApproved):
        promotion.promote(ALONE, FIRST)
    known = read()
    assert known.champion == 1
    assert known.latch.state == "resting"
    # The decision stands, whatever is measured later; and nobody finds fault with who made it.
    assert decisions.decide(ALONE, FIRST, "promote", answer()) == said
    verification.require(Ledger.open(), "churn", whole=True)
    assert event_kinds._end_told(said, known.proposals[-1]) == (
        "ticket",
        "a candidate is from broken rows and is not promoted by itself",
    )


def test_a_person_may_still_approve_it(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    at("bootstrapped")
    monkeypatch.setattr(flow, "MODEL", flow.ModelSpec.model_validate(SPEC))
    for number in (9, 10):
        land(number, x=20 * flow.rows(number)["x"])
    for number in range(6, 11):
        flow.watch(number)
    propose()
    register(FIRST)
    known = read()
    assert data_faults(known, known.proposals[-1])
    assert flow.promote(FIRST).by == "ada"

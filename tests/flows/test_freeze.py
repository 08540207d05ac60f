"""A frozen model through the real flow: what waits, what goes on, what comes of it at the thaw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.flows import asking, ending, monitor, rollback
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.conflicts import Conflict
from tasks.ledger.freezes import Frozen
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import CHAIN, FREEZES, SEALS
from tasks.promotion import decisions, freezing, promotion, proposals
from tasks.promotion.freezing import NoReason
from tests.flows.test_rollback import LOGGED, WORSE, serve
from tests.support.flow import (
    FIRST,
    MODEL,
    At,
    alias,
    answer,
    beginning,
    propose,
    read,
    register,
    watch,
)
from tests.support.forging import as_owner


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def freeze(reason: str = "the source is repaired") -> None:
    freezing.record(Ledger.open(), ["churn"], "frozen", by="grace", reason=reason)


def thaw() -> None:
    freezing.record(Ledger.open(), ["churn"], "thawed", by="grace", reason="repaired")


def held() -> list[str]:
    return freezing.held_by_freeze(Ledger.open(), "churn")


def test_while_a_model_is_frozen_its_windows_are_measured_and_nobody_proposes(at: At) -> None:
    at("drifted")
    assert read().due == FIRST
    freeze()
    assert watch(11).verdict == "drifting"
    known = read()
    assert (known.due, known.due_when_thawed, known.latch.state) == (None, FIRST, "open")
    action = monitor.action(MODEL)
    assert action is not None
    assert (action.run, action.silence) == (None, None)  # not a failure, run after run
    assert "churn is frozen by grace since" in str(action.waits)
    assert f"the source is repaired. Held back: {FIRST}. Nothing is proposed" in str(action.waits)
    assert "python -m tasks thaw churn" in str(action.waits)
    for name in (FIRST, "by hand"):
        with pytest.raises(Frozen, match="frozen by grace"):
            propose(name)
    assert len(read().proposals) == 1  # the first champion's
    thaw()
    assert read().due == FIRST
    propose()


def test_an_answer_given_before_a_freeze_promotes_after_it_and_not_before(at: At) -> None:
    at("registered")
    asking.to_promote(MODEL, FIRST, "/dags/here")
    decisions.decide(MODEL, FIRST, "promote", answer())
    assert held() == [f"{FIRST} was approved by ada: it is promoted after the thaw"]
    freeze()
    before = Ledger.open().head("churn")
    for _ in range(2):
        with pytest.raises(Frozen, match="frozen by grace"):
            promotion.promote(MODEL, FIRST)
    assert Ledger.open().head("churn") == before  # nothing is recorded of it
    assert ([p.proposal for p in read().live], read().champion, alias()) == ([FIRST], 1, 1)
    thaw()
    assert promotion.promote(MODEL, FIRST).version == 2
    assert (read().champion, alias()) == (2, 2)


def test_what_is_live_is_trained_gated_and_registered_and_asked_about_while_frozen(at: At) -> None:
    at("drifted")
    propose()
    freeze()
    register(FIRST)
    brief = asking.to_promote(MODEL, FIRST, "/dags/here")
    _, first, *_ = brief["body"].split("\n\n")
    assert first.startswith("**churn is frozen by grace since")
    assert "the source is repaired.** An answer counts" in first
    assert decisions.decide(MODEL, FIRST, "promote", answer()).answer == "approved"
    with pytest.raises(Frozen):
        promotion.promote(MODEL, FIRST)
    thaw()
    assert promotion.promote(MODEL, FIRST).version == 2


def test_a_withdrawn_proposal_does_not_wait_for_the_thaw(at: At) -> None:
    at("registered")
    freeze()
    proposals.withdraw(MODEL, FIRST, "grace", "it learnt the fault")
    assert held() == []
    with pytest.raises(proposals.NotApproved, match="withdrawn by grace"):
        promotion.promote(MODEL, FIRST)


def test_a_question_whose_time_runs_out_while_frozen_is_no_refusal_and_is_asked_again(
    at: At,
) -> None:
    at("drifted")
    propose()
    freeze()
    said = decisions.decide(MODEL, FIRST, "retrain", answer(by=None))
    assert (said.answer, said.by) == ("ended", "nobody")
    assert "nobody answered in time; churn is frozen by grace since" in said.comment
    assert read().latch.state == "open"  # it does not rest
    watch(11)
    thaw()
    assert read().due == FIRST.replace(".1", ".2")


def test_a_question_whose_time_runs_out_after_the_thaw_is_not_answered(at: At) -> None:
    at("drifted")
    propose()
    freeze()
    thaw()
    assert decisions.decide(MODEL, FIRST, "retrain", answer(by=None)).answer == "no_answer"


def test_what_a_freeze_holds_is_not_ended_for_its_age_and_has_its_time_from_the_thaw_on(
    at: At,
) -> None:
    at("registered")
    late = datetime.now(UTC) + timedelta(days=30)

    def noticed(now: datetime) -> list[str]:
        return ending.notice(MODEL, lambda dag, run: "active", now)

    freeze()
    assert noticed(late) == []
    thaw()
    assert noticed(datetime.now(UTC) + timedelta(days=3)) == []
    (said,) = noticed(late)
    assert "longer than approval.timeout (3d) allows" in said


def test_a_run_that_died_while_frozen_is_noticed_all_the_same(at: At) -> None:
    at("registered")
    freeze()
    (said,) = ending.notice(MODEL, lambda dag, run: "over", datetime.now(UTC))
    assert "is over, and decided nothing" in said


def test_a_person_goes_back_while_frozen_and_what_was_approved_before_comes_too_late(
    at: At,
) -> None:
    at("promoted")
    for number in (11, 12):
        serve(number)
    rollback.ask_to_roll_back(LOGGED, rollback.propose_rollback(LOGGED, WORSE), "/dags/here")
    decisions.decide(LOGGED, WORSE, "rollback", answer())
    freeze()
    rollback.by_hand(LOGGED, "back", version=1, by="ada", reason="complaints")
    assert rollback.promote_back(LOGGED, "back").version == 1
    assert (read().champion, alias()) == (1, 1)
    assert read().frozen is not None
    thaw()
    with pytest.raises(Conflict, match="the champion is version 1"):
        rollback.promote_back(LOGGED, WORSE)


def test_a_rollback_of_the_monitor_is_held_and_named_and_done_after_the_thaw(at: At) -> None:
    at("promoted")
    serve(11)
    freeze()
    serve(12)
    action = monitor.action(LOGGED)
    assert action is not None
    assert f"Held back: {WORSE}" in str(action.waits)
    with pytest.raises(Frozen):
        rollback.propose_rollback(LOGGED, WORSE)
    thaw()
    asked = rollback.propose_rollback(LOGGED, WORSE)
    freeze("again")
    brief = rollback.ask_to_roll_back(LOGGED, asked, "/dags/here")
    assert "**churn is frozen by grace" in brief["body"]
    decisions.decide(LOGGED, WORSE, "rollback", answer())
    assert held() == [f"{WORSE} was approved by ada: it is promoted after the thaw"]
    with pytest.raises(Frozen):
        rollback.promote_back(LOGGED, WORSE)
    thaw()
    assert rollback.promote_back(LOGGED, WORSE).version == 1


@pytest.mark.parametrize("reason", ["", " ", "\u200b"])
def test_nobody_freezes_without_a_reason(at: At, reason: str) -> None:
    at("bootstrapped")
    with pytest.raises((NoReason, ValueError), match="reason"):
        freeze(reason)
    assert read().frozen is None


def test_a_freeze_that_somebody_cut_off_is_missed_before_anything_is_promoted(at: At) -> None:
    at("registered")
    asking.to_promote(MODEL, FIRST, "/dags/here")
    decisions.decide(MODEL, FIRST, "promote", answer())
    freeze()
    ledger = Ledger.open()
    last, _ = ledger.head("churn") or (None, None)
    assert last is not None
    with as_owner(ledger) as db:
        db.execute(sa.delete(FREEZES))
        for table in (SEALS, CHAIN):
            db.execute(sa.delete(table).where(table.c.position == last.position))
    assert read().frozen is None
    with pytest.raises(LedgerRefused, match="kept in the store is not in the chain"):
        promotion.promote(MODEL, FIRST)
    assert read().champion == 1

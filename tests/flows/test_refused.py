"""A ledger that verification refuses is acted on by nobody: neither loaded, decided nor promoted.

Played over real stores, with the attacks that once worked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.audit import heads, verification, verified_model
from tasks.flows import asking, retrain, rollback
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.ledger import Ledger
from tasks.promotion import decisions, promotion
from tasks.signing.keyring import KeyUnusable
from tests.support.flow import FIRST, MODEL, At, answer, beginning, day, read, watch
from tests.support.forging import as_owner, forge, signing_with


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def approval_by_insert() -> None:
    shown = decisions.evidence_of(read(), FIRST, "promote")
    row = {"proposal": FIRST, "step": "promote", "answer": "approved", "by": "ada", "comment": ""}
    forge(Ledger.open(), "decisions", None, model="churn", evidence=shown, **row, **SINCE)


def promotion_by_insert() -> None:
    row = {"number": 2, "proposal": "nobody", "version": 2, "expected": 1, "by": "x", "reason": "x"}
    forge(Ledger.open(), "promotions", None, model="churn", **row, **SINCE)


def gates_by_update() -> None:
    with as_owner(Ledger.open()) as db:
        db.execute(sa.text("update candidates set artifact_digest = 'x' where version = 2"))


def tail_cut() -> None:
    ledger = Ledger.open()
    newest = ledger.trail("churn").links[-1]
    assert heads.in_store("churn") is not None
    with as_owner(ledger) as db:
        for table in ("chain", "seals"):
            db.execute(sa.text(f"delete from {table} where position = {newest.position}"))
        db.execute(sa.text(f"delete from {newest.table_name} where id = {newest.row_id}"))


def observation_by_insert() -> None:
    """Put a steady window over a drifting one, past the chain."""
    with as_owner(Ledger.open()) as db:
        columns = [c["name"] for c in sa.inspect(db).get_columns("observations")]
        new = {"id": "999", "revision": "revision + 1", "verdict": "'steady'"}
        copy = ", ".join(new.get(name, f'"{name}"') for name in columns)
        db.execute(sa.text(f"insert into observations select {copy} from observations limit 1"))


SINCE = {"effective_from": datetime(2026, 1, 11, tzinfo=UTC)}
ATTACKS: dict[str, tuple[Callable[[], None], str]] = {
    "an approval": (approval_by_insert, "is not signed"),
    "a promotion": (promotion_by_insert, "is not signed"),
    "a candidate's files": (gates_by_update, "is not as it was recorded"),
    "a cut tail": (tail_cut, "kept in the store is not in the chain"),
    "an observation": (observation_by_insert, "rows and|has no link"),
}
ACTS: dict[str, Callable[[], object]] = {
    "promote": lambda: promotion.promote(MODEL, FIRST),
    "decide": lambda: decisions.decide(MODEL, FIRST, "promote", answer()),
    "load": lambda: verified_model.model_of(MODEL, Ledger.open(), 1),
    "register": lambda: retrain.register(MODEL, FIRST, read().candidates[-1].run_id),
    "the monitor": lambda: watch(11),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_nothing_is_done_on_the_word_of_a_forged_ledger(what: str, at: At) -> None:
    at("registered")
    if what == "a cut tail":
        decisions.decide(MODEL, FIRST, "promote", answer())
    attack, found = ATTACKS[what]
    attack()
    rows = len(Ledger.open().trail("churn").rows)
    for name, act in ACTS.items():
        with pytest.raises(LedgerRefused, match=found) as told:
            act()
        assert "python -m tasks audit churn --verify" in str(told.value), name
    assert len(Ledger.open().trail("churn").rows) == rows


def test_no_rollback_goes_through_a_promotion_that_nobody_approved(at: At) -> None:
    at("registered")
    promotion_by_insert()
    for act in (
        lambda: rollback.target(MODEL, None),
        lambda: rollback.by_hand(MODEL, "back", version=1, by="otto", reason="worse"),
    ):
        with pytest.raises(LedgerRefused, match="is not signed"):
            act()
    at("promoted")
    rollback.by_hand(MODEL, "back", version=1, by="otto", reason="worse")
    observation_by_insert()
    with pytest.raises(LedgerRefused, match="has no link"):
        rollback.promote_back(MODEL, "back")
    assert read().champion == 2


def test_an_observation_that_was_altered_stops_the_next_promotion(at: At) -> None:
    at("registered")
    decisions.decide(MODEL, FIRST, "promote", answer())
    with as_owner(Ledger.open()) as db:
        db.execute(sa.text("update observations set verdict = 'steady' where id = 5"))
    with pytest.raises(LedgerRefused, match=r"row 5 of observations .* is not as it was recorded"):
        promotion.promote(MODEL, FIRST)


def test_a_question_names_whom_it_was_put_to_and_only_they_can_say_yes(at: At) -> None:
    at("registered")
    asked = Ledger.open().questions("churn")
    told = [(q.proposal, q.step, [name for _, name in q.asked]) for q in asked]
    assert told[:3] == [
        ("boot", "retrain", ["ada", "grace"]),
        ("boot", "promote", ["ada", "grace"]),
        (FIRST, "retrain", ["ada", "grace"]),
    ]
    ledger = Ledger.open()
    shown = decisions.evidence_of(read(), FIRST, "promote")
    from tasks.ledger.records import Question

    ledger.ask(
        Question(
            model="churn",
            proposal=FIRST,
            step="promote",
            evidence=shown,
            asked=[["grace", "grace"]],
        )
    )
    made = decisions.decide(MODEL, FIRST, "promote", answer("ada"))
    assert (made.answer, made.comment) == ("invalid", "ada was not asked")


def test_a_yes_to_other_evidence_than_was_asked_about_is_none(at: At) -> None:
    at("registered")
    from tasks.ledger.records import Question

    asked = Question(
        model="churn", proposal=FIRST, step="promote", evidence="older", asked=[["ada", "ada"]]
    )
    Ledger.open().ask(asked)
    made = decisions.decide(MODEL, FIRST, "promote", answer("ada"))
    assert (made.answer, "has changed since" in made.comment) == ("invalid", True)
    verification.require(Ledger.open(), "churn", whole=True)


def test_an_api_server_with_the_key_for_answers_records_one_to_what_was_asked_and_no_other(
    at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("registered")
    key = tmp_path / "keys" / "answers.pem"
    with signing_with(key, answers=True), pytest.raises(KeyUnusable, match="may not write it"):
        decisions.decide(MODEL, FIRST, "promote", answer())  # nobody was asked yet
    asking.to_promote(MODEL, FIRST, "/dags/here")
    with signing_with(key, answers=True):
        assert decisions.decide(MODEL, FIRST, "promote", answer()).answer == "approved"
    with pytest.raises(LedgerRefused, match="signed by a key that is not trusted"):
        promotion.promote(MODEL, FIRST)
    monkeypatch.setenv("GATELATCH_ANSWER_VERIFY_KEY", str(key.with_suffix(".pub")))
    assert promotion.promote(MODEL, FIRST).version == 2


def test_the_heads_are_kept_with_each_decision_and_each_window(at: At) -> None:
    at("registered")

    def kept() -> int | None:
        found = heads.in_store("churn")
        return found and found.position

    def newest() -> int:
        return len(Ledger.open().trail("churn").links)

    decisions.decide(MODEL, FIRST, "promote", answer())
    assert kept() == newest()
    watch(11)
    assert kept() == newest()
    promotion.promote(MODEL, FIRST)
    assert kept() == newest()


def test_what_an_approver_reads_ends_with_a_head_that_shows_what_was_cut_off_since(at: At) -> None:
    at("registered")
    body = asking.to_promote(MODEL, FIRST, "/dags/here")["body"]
    shown = re.search(r"Ledger up to link (\d+): `([0-9a-f]{64})`$", body)
    assert shown is not None
    trail, kept = Ledger.open().trail("churn"), heads.named_head("churn", shown[2])
    assert int(shown[1]) == len(trail.links)
    assert heads.head_fault("churn", trail, [kept], {}) is None
    tail_cut()
    found = heads.head_fault("churn", Ledger.open().trail("churn"), [kept], {})
    assert "kept by you is not in the chain" in str(found)


def test_a_store_that_cannot_be_written_loses_no_answer_and_is_named(
    at: At, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    at("registered")
    Path("occupied").write_text("")
    monkeypatch.setenv("GATELATCH_STORE", str(Path("occupied").resolve() / "store"))
    with caplog.at_level(logging.WARNING):
        assert decisions.decide(MODEL, FIRST, "promote", answer()).answer == "approved"
    assert "the head in the store is not looked at" in caplog.text
    assert "the ledger's head is not kept in the store" in caplog.text


def test_another_model_goes_on_while_one_is_refused(at: At) -> None:
    at("registered")
    promotion_by_insert()
    other = replace(flow_observation(), model="other")
    Ledger.open().observe(other)
    with pytest.raises(LedgerRefused):
        Ledger.open().observe(flow_observation())


def flow_observation() -> Any:
    seen = Ledger.open().history("churn")[0]
    return replace(seen, window_start=day(30), window_end=day(31))

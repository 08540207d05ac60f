"""Who wrote each row: what a hand without the right key adds, moves, cuts or rewrites is found."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.audit import heads, verification
from tasks.ledger import chain, seals
from tasks.ledger.chain import LedgerRefused, Seal, Trail
from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tasks.signing.keyring import KeyUnusable
from tests.support import forging
from tests.support.again import write_again
from tests.support.forging import (
    as_owner,
    fault,
    forge,
    head,
    honest,
    relinked,
    signing_with,
    written,
)
from tests.support.rows import day, decision, observation, proposal, registered

SEALED = Seal(0, "", "")


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    write_again(ledger, honest)
    return ledger


def elsewhere(told: Ledger) -> None:
    honest(told, "other")


def values(record: Any) -> dict[str, Any]:
    return dict(vars(record))


FORGED: dict[str, tuple[str, dict[str, Any]]] = {
    "an approval": ("decisions", values(decision(proposal="p3", step="promote"))),
    "a rejection": ("decisions", values(decision("rejected", proposal="p3", step="promote"))),
    "a candidate": ("candidates", values(registered(proposal="p3", version=3))),
    "an observation": ("observations", values(observation(12))),
    "a question": (
        "questions",
        {"model": "churn", "proposal": "p3", "step": "retrain", "evidence": "e", "asked": []},
    ),
    "a promotion": (
        "promotions",
        {
            "model": "churn",
            "number": 4,
            "proposal": "nobody",
            "version": 2,
            "expected": 1,
            "effective_from": day(12),
            "by": "mallory",
            "reason": "mine",
        },
    ),
}


def test_what_honest_processes_wrote_stands(told: Ledger) -> None:
    assert fault(told, [head(told)]) is None


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_insert_with_a_right_link_is_found_and_nothing_is_written_behind_it(
    what: str, told: Ledger
) -> None:
    table, row = FORGED[what]
    forge(told, table, **row)
    found = str(fault(told))
    assert f"of {table} (link 24) is not signed" in found
    with pytest.raises(LedgerRefused, match=r"link 24\) is not signed.*audit churn --verify"):
        told.observe(observation(13))
    told.observe(observation(13, model="other"))
    assert fault(told, model="other") is not None  # no such version; but it could be written
    assert len(told.trail("churn").links) == 24


@pytest.mark.parametrize("what", FORGED)
def test_a_signature_from_elsewhere_does_not_make_a_forged_row_true(
    what: str, told: Ledger
) -> None:
    table, row = FORGED[what]
    write_again(told, elsewhere)
    for seal in (told.trail("churn").seals[18], told.trail("other").seals[19]):
        with told._engine.connect() as db:
            assert db.in_transaction() is False
        forge(told, table, seal, **row)
        assert "is not what the signature on it was made for" in str(fault(told))
        with as_owner(told) as db:
            for name in ("seals", "chain"):
                db.execute(sa.text(f"delete from {name} where model = 'churn' and position = 24"))
            newest = f"(select max(id) from {table} where model = 'churn')"
            db.execute(sa.text(f"delete from {table} where id = {newest}"))
    assert fault(told) is None


def test_a_key_that_is_not_trusted_or_trusted_no_more_signs_nothing(
    told: Ledger, tmp_path: Path
) -> None:
    with (
        signing_with(tmp_path / "mallory.pem", trusted=False),
        pytest.raises(KeyUnusable, match=r"nothing is written.*not trusted.*GATELATCH_VERIFY_KEY"),
    ):
        told.observe(observation(12))
    assert len(told.trail("churn").links) == 23
    with signing_with(tmp_path / "new.pem"):
        told.observe(observation(12))
        assert fault(told) is None
    assert "link 24) is signed by a key that is not trusted" in str(fault(told))  # revoked


@pytest.mark.parametrize("what", sorted(FORGED))
def test_the_key_for_answers_signs_peoples_answers_and_nothing_else(
    what: str, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_again(ledger, honest)
    forging.ask(ledger, "p3", "retrain")
    table, row = FORGED[what]
    with signing_with(tmp_path / "answers.pem", answers=True):
        if table == "decisions":
            ledger.decide(decision("rejected", proposal="p3", step="promote", by="grace"))
            with pytest.raises(KeyUnusable, match="which may not write it"):
                ledger.decide(decision(proposal="p4", step="promote", by="policy"))
            with pytest.raises(KeyUnusable, match="which may not write it"):
                ledger.decide(decision("failed", proposal="p4", step="gates", by="gates"))
            return
        link, _ = ledger.head("churn") or (None, None)
        assert link is not None
        # What the ledger does not let it write, it may still put there itself.
        row = {"recorded_at": day(20), **row}
        stored = {**row, "id": 99}
        made = seals.seal("churn", chain.link(link, table, stored))
        forge(ledger, table, made, **stored)
        assert "signed by the key for people's answers, which may not write it" in str(
            fault(ledger)
        )


def test_without_a_key_nothing_is_written_and_everything_can_be_read(
    told: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_SIGNING_KEY", "absent.pem")
    with pytest.raises(KeyUnusable, match=r"no key to sign with: absent\.pem"):
        told.observe(observation(12))
    assert told.observe(observation(11)) == observation(11)  # it is there, so nothing is written
    assert len(told.trail("churn").links) == len(told.trail("churn").seals) == 23
    assert len(told.promotions("churn")) == 3


def cut(ledger: Ledger, rows: int) -> None:
    """Take the newest rows off with their links and signatures."""
    trail = ledger.trail("churn")
    with as_owner(ledger) as db:
        for link in trail.links[-rows:]:
            for name, key in (("chain", "position"), ("seals", "position")):
                of = f"model = 'churn' and {key} = {link.position}"
                db.execute(sa.text(f"delete from {name} where {of}"))
            db.execute(sa.text(f"delete from {link.table_name} where id = {link.row_id}"))


def test_a_tail_that_was_cut_off_is_missed_by_every_head_that_was_kept(told: Ledger) -> None:
    kept = head(told)
    noted = heads.named_head("churn", kept.digest)
    cut(told, 2)
    assert fault(told) is None  # nobody can know
    for known in (kept, noted):
        assert "is not in the chain: rows up to it were removed" in str(fault(told, [known]))
    told.observe(observation(12))
    assert "is not in the chain" in str(fault(told, [kept]))


def test_a_head_that_nobody_signed_is_called_forged(told: Ledger, tmp_path: Path) -> None:
    kept = head(told)
    forged = replace(kept, digest="0" * 64)
    assert "is forged: no trusted key signed it" in str(fault(told, [forged]))
    assert kept.seal is not None
    moved = replace(kept, position=5, seal=replace(kept.seal, position=5), digest="1" * 64)
    assert "is forged" in str(fault(told, [moved]))


def test_a_tail_that_was_written_anew_is_not_what_was_signed(told: Ledger) -> None:
    trail = told.trail("churn")
    rows = written(trail)
    table, row = rows[-1]
    anew = relinked([*rows[:-1], (table, {**row, "verdict": "drifting"})], dict(trail.seals))
    found = verification.ledger_fault("churn", anew, seals.trusted())
    assert "link 23) is not what the signature on it was made for" in str(found)


def test_a_model_that_takes_the_name_of_another_is_found(told: Ledger) -> None:
    trail = told.trail("churn")
    rows = [(table, {**row, "model": "other"}) for table, row in written(trail)]
    renamed = relinked(rows, dict(trail.seals))
    assert "link 1) is not what the signature" in str(
        verification.ledger_fault("other", renamed, seals.trusted())
    )
    with as_owner(told) as db:
        for name in ("chain", "seals"):
            db.execute(sa.text(f"update {name} set model = 'other'"))
    assert fault(told, model="other") is not None
    assert "has no link" in str(fault(told))


def test_a_proposal_that_was_withdrawn_meanwhile_is_not_promoted(ledger: Ledger) -> None:
    ledger.propose(proposal(champion=None))
    forging.approve(ledger, "p1", "retrain")
    ledger.add_candidate(registered())
    forging.approve(ledger, "p1", "promote")
    ledger.decide(decision("withdrawn", step="withdraw", by="otto"))
    with pytest.raises(Conflict, match="withdraw was withdrawn by otto meanwhile"):
        forging.move(ledger, "p1", 1, None, "ada")
    assert ledger.promotions("churn") == []
    assert fault(ledger) is None


# --- any change at all


@cache
def real() -> tuple[Trail, heads.Head, dict[int, Seal]]:
    """Return the trail of a real ledger, its head, and the signatures of another model's."""
    ledger = Ledger("sqlite://")
    ledger._engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    ledger.create()
    honest(ledger)
    honest(ledger, "other")
    return ledger.trail("churn"), head(ledger), dict(ledger.trail("other").seals)


def stands(trail: Trail, kept: bool = True) -> str | None:
    return verification.ledger_fault("churn", trail, seals.trusted(), [real()[1]] if kept else [])


def other_value(data: st.DataObject, value: Any) -> Any:
    if isinstance(value, str):
        return data.draw(st.text(max_size=5).filter(lambda new: new != value))
    if isinstance(value, int | float):
        return data.draw(st.integers(-5, 5).filter(lambda new: new != value))
    if value is None or isinstance(value, dict | list):
        return data.draw(st.sampled_from([{"x": 1}, ["y"], "z"]))
    return value + data.draw(st.timedeltas().filter(bool).map(lambda d: d % (day(9) - day(2))))


@settings(deadline=None)
@given(st.data())
def test_whatever_column_of_whatever_row_is_changed_it_is_found(data: st.DataObject) -> None:
    trail, *_ = real()
    rows = written(trail)
    at = data.draw(st.integers(0, len(rows) - 1))
    table, row = rows[at]
    column = data.draw(st.sampled_from(sorted(row)))
    changed = {**row, column: other_value(data, row[column])}
    if changed == row:
        return
    known = {**trail.rows, (table, row["id"]): changed}
    assert stands(replace(trail, rows=known), kept=False) is not None
    # Nor does it help to compute all later links anew: there is no key to sign them.
    if column != "id":
        anew = relinked([*rows[:at], (table, changed), *rows[at + 1 :]], dict(trail.seals))
        assert stands(anew, kept=False) is not None


@settings(deadline=None)
@given(st.data())
def test_whatever_is_removed_doubled_or_moved_is_found_but_for_a_tail_without_a_head(
    data: st.DataObject,
) -> None:
    trail, _, foreign = real()
    rows = written(trail)
    positions = data.draw(
        st.permutations(range(len(rows)))
        | st.lists(st.integers(0, len(rows) - 1), min_size=1)
        | st.integers(1, len(rows)).map(lambda upto: list(range(upto)))
    )
    new = [rows[at] for at in positions]
    known = data.draw(st.sampled_from([dict(trail.seals), foreign, {}]))
    moved = {to + 1: trail.seals.get(at + 1) for to, at in enumerate(positions)}
    made = data.draw(st.sampled_from([known, {at: seal for at, seal in moved.items() if seal}]))
    made = {at: seal for at, seal in made.items() if at <= len(new)}
    anew = relinked(new, made)
    if list(positions) == list(range(len(rows))) and made == trail.seals:
        assert stands(anew) is None
        return
    assert stands(anew) is not None
    prefix = list(positions) == list(range(len(positions)))
    assert (stands(anew, kept=False) is None) == (
        prefix and made == {at: trail.seals[at] for at in range(1, len(new) + 1)}
    )


@settings(deadline=None)
@given(st.data())
def test_whatever_signature_is_changed_removed_or_swapped_is_found(data: st.DataObject) -> None:
    trail, _, foreign = real()
    at = data.draw(st.integers(1, len(trail.links)))
    other = data.draw(st.integers(1, len(trail.links)).filter(lambda position: position != at))
    there = trail.seals[at]
    for made in (
        None,
        foreign[at],
        trail.seals[other],
        replace(trail.seals[other], position=at),
        replace(there, signature=data.draw(st.text(max_size=100))),
        replace(there, signer=data.draw(st.text(max_size=64))),
    ):
        known = (
            {**trail.seals, at: made} if made else {k: s for k, s in trail.seals.items() if k != at}
        )
        assert stands(replace(trail, seals=known), kept=False) is not None

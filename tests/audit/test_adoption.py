"""Rows that no trusted key signed are taken in by a named person, never by themselves."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tasks.audit import heads
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.ledger import Ledger
from tasks.promotion import promotion
from tasks.registry import tracking
from tests.support.flow import FIRST, MODEL, At, beginning, promote, read, watch
from tests.support.forging import as_owner, forge

WORD = ("--adopt", "--by", "ada", "--reason", "from before signatures")


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["audit", "churn", *words])


def old() -> None:
    """Take the signatures away: the ledger is as it was before there were any."""
    with as_owner(Ledger.open()) as db:
        db.execute(sa.text("delete from seals"))
    shutil.rmtree("store/heads")


def test_an_old_ledger_is_refused_until_somebody_vouches_for_it(at: At) -> None:
    at("registered")
    old()
    with pytest.raises(LedgerRefused, match=r"row 1 of proposals .* not signed.*--adopt"):
        watch(11)
    assert run("--verify").exit_code == 1
    done = run(*WORD, "--verify")
    assert done.exit_code == 0, done.stderr
    rows = len(Ledger.open().trail("churn").links)
    assert f"ada vouches for rows 1 to {rows - 1}" in done.stderr
    assert f"signatures and meaning of rows 1 to {rows - 1}: ada adopted them" in done.stdout
    assert f"rows 1 to {rows - 1} adopted" in done.stdout
    assert watch(11).version == 1
    promote(FIRST)
    assert (read().champion, run("--verify").exit_code) == (2, 0)


def test_nobody_vouches_without_a_name_and_a_reason_or_for_what_stands_by_itself(at: At) -> None:
    at("registered")
    assert "there is nothing to adopt" in run(*WORD).stderr
    old()
    for words in (("--adopt",), ("--adopt", "--by", "ada"), (*WORD[:3], "--reason", " ")):
        result = run(*words)
        assert (result.exit_code, "who vouches" in result.stderr) == (1, True)
    with as_owner(Ledger.open()) as db:
        db.execute(sa.text("update decisions set by = 'mallory'"))
    result = run(*WORD)
    assert (result.exit_code, "nobody can vouch for that" in result.stderr) == (1, True)


def test_a_word_that_a_key_did_not_sign_vouches_for_nothing(at: At) -> None:
    at("registered")
    old()
    links = Ledger.open().trail("churn").links
    word = {"position": len(links), "head": links[-1].digest, "by": "x", "reason": "x", "lost": []}
    forge(Ledger.open(), "adoptions", None, model="churn", **word)
    with pytest.raises(LedgerRefused, match=r"of adoptions .* is not signed"):
        promotion.promote(MODEL, FIRST)


@pytest.mark.parametrize("position", [0, 3, 10_000])
def test_a_word_for_a_chain_that_is_not_this_one_vouches_for_nothing(at: At, position: int) -> None:
    from tasks.ledger.records import Adoption

    at("registered")
    Ledger.open().adopt(
        Adoption(
            model="churn", position=position, head="0" * 64, by="ada", reason="because", lost=[]
        )
    )
    with pytest.raises(LedgerRefused, match="is the word for a chain that is not this one"):
        watch(11)


def test_after_a_restore_the_heads_of_what_was_lost_are_given_up_by_name(at: At) -> None:
    at("promoted")
    with closing(sqlite3.connect("ledger.db")) as db, closing(sqlite3.connect("backup.db")) as to:
        db.backup(to)
    watch(11)
    newest = heads.in_store("churn")
    assert newest is not None
    Ledger.open()._engine.dispose()
    for path in Path().glob("ledger.db*"):
        path.unlink()
    shutil.copy("backup.db", "ledger.db")
    with pytest.raises(LedgerRefused, match="kept in the store is not in the chain"):
        watch(11)
    done = run(*WORD, "--verify")
    assert done.exit_code == 0, done.stderr
    assert "1 kept heads are given up" in done.stderr
    assert watch(11).version == 2
    assert run("--verify").exit_code == 0
    tracking.connect.cache_clear()

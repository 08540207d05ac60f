"""What is kept between requests is what the ledger and the files say now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tasks.errors import GatelatchError
from tasks.ledger import engine, migrations
from tasks.ledger.ledger import Ledger
from tasks.views.board import Board, why_unreadable
from tests.conftest import CHURN
from tests.support import forging
from tests.support.stood import MakeSpec, ledger_in, seen


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = ledger_in(tmp_path)
    yield ledger
    ledger._engine.dispose()


def test_what_did_not_change_is_kept_and_what_did_is_new(spec: MakeSpec, ledger: Ledger) -> None:
    board, churn = Board(lambda: ledger), spec()
    forging.version(ledger, 1)
    ledger.observe(seen(0))
    (first,) = board.standings([churn]).standings
    assert board.standings([churn]).standings[0] is first
    assert len(board.written(board.status(churn))) == 1
    ledger.observe(seen(1, 0.8))
    (later,) = board.standings([churn]).standings
    assert (first.pressure, later.pressure) == (0.5, 0.8)
    assert len(board.written(board.status(churn))) == 2
    (other,) = board.standings([spec(owner={"name": "others"})]).standings
    assert other.owner == "others"


def test_a_row_that_cannot_be_read_costs_no_other_model(spec: MakeSpec, ledger: Ledger) -> None:
    for name in ("churn", "fraud"):
        forging.version(ledger, 1, name)
    ledger.observe(seen(0, model="fraud", figures={"format": 99}))
    board = Board(lambda: ledger)
    told = board.standings([spec(), spec(model="fraud")], seconds=60).standings
    assert told[0].problem is None
    assert "newer Gatelatch" in (told[1].problem or "")


def test_a_request_reads_for_its_time_and_the_next_one_goes_on(
    spec: MakeSpec, ledger: Ledger
) -> None:
    board = Board(lambda: ledger)
    many = [spec(model=f"m{i}") for i in range(3)]
    first = board.standings(many, seconds=0)
    assert (len(first.standings), first.unread) == (0, 3)
    later = board.standings(many, seconds=60)
    assert [one.model for one in later.standings] == ["m0", "m1", "m2"]
    assert board.standings(many, seconds=0).unread == 0


def test_the_rest_is_read_without_a_further_request_and_by_one_thread_alone(
    spec: MakeSpec, ledger: Ledger
) -> None:
    board = Board(lambda: ledger)
    many = [spec(model=f"m{i}") for i in range(3)]
    with board._reads_rest:
        board.read_rest(many)
    assert board.standings(many, seconds=0).unread == 3
    board.read_rest(many)
    assert board.standings(many, seconds=0).unread == 0


def test_a_spec_is_parsed_when_its_file_changes_and_a_mistake_costs_no_other_model(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path))
    (tmp_path / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    (tmp_path / "odd.yaml").write_text("model: [")
    board = Board(lambda: ledger)
    found = board.specs()
    assert found.names == ["churn", "odd"]
    assert list(found.usable) == ["churn"]
    assert "odd.yaml" in found.mistaken["odd"]
    assert board.specs().usable["churn"] is found.usable["churn"]
    (tmp_path / "odd.yaml").unlink()
    (tmp_path / "churn.yaml").write_text(yaml.safe_dump({**CHURN, "owner": {"name": "others"}}))
    assert "owner.approvers" in board.specs().mistaken["churn"]


def _problem(folder: Path, monkeypatch: pytest.MonkeyPatch, spec: MakeSpec) -> str:
    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{folder / 'ledger.db'}")
    with pytest.raises(GatelatchError) as refused:
        Board().standings([spec()])
    return why_unreadable(refused.value)


def test_a_ledger_that_is_away_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: MakeSpec
) -> None:
    said = _problem(tmp_path / "unmounted", monkeypatch, spec)
    assert "unmounted/ledger.db" in said
    assert "GATELATCH_LEDGER" in said
    assert "create or mount it" in said


def test_a_ledger_of_a_newer_release_is_not_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: MakeSpec
) -> None:
    ledger = ledger_in(tmp_path)
    with ledger._engine.begin() as link:
        link.exec_driver_sql(f"update {migrations.TABLE} set version_num = '9999'")
    ledger._engine.dispose()
    assert "a newer Gatelatch" in _problem(tmp_path, monkeypatch, spec)


def test_a_ledger_that_another_process_holds_is_said_to_be_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: MakeSpec
) -> None:
    monkeypatch.setattr(engine, "HASTE", 0)
    ledger = ledger_in(tmp_path)
    ledger._engine.dispose()
    with sqlite3.connect(tmp_path / "ledger.db") as holder:
        holder.execute("pragma locking_mode = exclusive")
        holder.execute("begin exclusive")
        assert "database is locked" in _problem(tmp_path, monkeypatch, spec)
    holder.close()


def test_an_error_of_somebody_else_is_told_by_its_kind_alone() -> None:
    said = why_unreadable(ValueError("a row with a secret"))
    assert "ValueError" in said
    assert "secret" not in said

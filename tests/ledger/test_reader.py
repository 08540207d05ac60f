"""A ledger that is only read: never written, created or upgraded; refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tasks.disk import Unusable
from tasks.ledger import migrations
from tasks.ledger.ledger import Ledger
from tasks.ledger.migrations import OtherSchema
from tasks.ledger.reader import LedgerReader
from tests.support.rows import observation, promote


def test_it_says_what_the_ledger_says_and_writes_nothing(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_LEDGER", url)
    promote(ledger, 1, None, since=1)
    ledger.observe(observation(2))
    reader = LedgerReader.open_to_read()
    assert reader.rows("churn") == ledger.rows("churn")
    assert reader.observations("churn") == [observation(2)]
    ledger.observe(observation(3))  # it follows what is written later
    assert len(reader.observations("churn")) == 2
    with (
        reader._engine.connect() as link,
        pytest.raises((Unusable, sa.exc.DBAPIError), match=r"read-?only"),
    ):
        link.exec_driver_sql("create table more (id integer)")
    reader.close()


def test_a_ledger_that_is_not_there_is_named_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")
    with pytest.raises(Unusable, match=r"\(GATELATCH_LEDGER\) cannot be used: "):
        LedgerReader.open_to_read()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("0000", "has no schema number"),
        (f"{migrations.SCHEMA + 1:04}", "written by a newer Gatelatch"),
    ],
)
def test_a_ledger_of_another_release_is_refused_and_left_as_it_is(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch, number: str, told: str
) -> None:
    monkeypatch.setenv("GATELATCH_LEDGER", url)
    with ledger._engine.begin() as link:
        link.exec_driver_sql(f"update {migrations.TABLE} set version_num = '{number}'")
    with pytest.raises(OtherSchema, match=told):
        LedgerReader.open_to_read()
    with ledger._engine.connect() as link:
        assert migrations.schema_number(link) == int(number)


def test_an_empty_database_is_told_from_an_older_ledger(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATELATCH_LEDGER", url)
    engine = Ledger(url)._engine
    engine.connect().close()  # SQLite makes the file
    with pytest.raises(OtherSchema, match="has no tables yet; run `python -m tasks init`"):
        LedgerReader.open_to_read()
    engine.dispose()

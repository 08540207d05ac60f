"""The ledger's schema: from nothing, from release 0.1, and what refuses any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.ledger import migrations
from tasks.ledger.ledger import Ledger
from tasks.ledger.migrations import SCHEMA, TABLE, OtherSchema
from tasks.ledger.tables import META
from tests.conftest import database_in_postgres
from tests.upgrade import kept


@pytest.fixture(params=["sqlite", "postgresql"])
def old(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ledger]:
    """Return a ledger as release 0.1 left it."""
    place = kept.unpack(tmp_path, request.param)
    if request.param == "sqlite":
        url = f"sqlite:///{place / 'ledger.db'}"
        kept.enter(monkeypatch, tmp_path, place, url)
        yield from opened(url)
        return
    with database_in_postgres("ledger", "psycopg") as url:
        kept.restore(url, place)
        kept.enter(monkeypatch, tmp_path, place, url)
        yield from opened(url)


def opened(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url)
    yield ledger
    ledger._engine.dispose()


def tables(ledger: Ledger) -> dict[str, list[sa.RowMapping]]:
    with ledger._engine.connect() as link:
        there = set(sa.inspect(link).get_table_names())
        return {
            name: list(link.execute(sa.select(table)).mappings())
            for name, table in META.tables.items()
            if name in there
        }


def numbered(ledger: Ledger, number: str) -> None:
    with ledger._engine.begin() as link:
        link.exec_driver_sql(f"update {TABLE} set version_num = '{number}'")


def test_the_steps_lead_from_nothing_to_the_tables_that_the_code_works_on(ledger: Ledger) -> None:
    with ledger._engine.connect() as link:
        context = MigrationContext.configure(link, opts={"version_table": TABLE})
        assert compare_metadata(context, META) == []
        assert migrations.schema_number(link) == SCHEMA


def test_the_number_that_the_code_works_on_is_that_of_the_newest_step() -> None:
    folder = Path(migrations.__file__).parent
    script = ScriptDirectory(str(folder), version_locations=[str(folder / "revisions")])
    assert script.get_heads() == [f"{SCHEMA:04}"]


def test_a_ledger_of_release_0_1_is_taken_over_row_by_row(old: Ledger) -> None:
    before = tables(old)
    assert before["observations"]
    old.create()
    old.create()  # safe to repeat
    now = tables(old)
    assert {name: now.pop(name) for name in before} == before
    assert not any(now.values())  # the tables that came since
    with old._engine.connect() as link:
        assert migrations.schema_number(link) == SCHEMA
    with (
        pytest.raises(sa.exc.IntegrityError, match="append-only"),
        old._engine.begin() as link,
    ):
        link.exec_driver_sql("delete from observations")


def test_all_but_init_refuse_a_ledger_that_is_older_and_say_what_to_run(old: Ledger) -> None:
    with pytest.raises(OtherSchema, match=r"has no schema number, .* run `python -m tasks init`"):
        Ledger.open()
    with old._engine.connect() as link:
        assert migrations.schema_number(link) == 0
    done = CliRunner().invoke(app, ["init"])
    assert (done.exit_code, done.stdout) == (0, "ledger, store and registry are ready\n")
    now = Ledger.open()
    assert now.promotions("churn") == old.promotions("churn") != []
    now._engine.dispose()


def test_a_ledger_that_is_newer_is_refused_by_all_and_left_as_it_is(old: Ledger) -> None:
    old.create()
    numbered(old, f"{SCHEMA + 1:04}")
    for opening in (Ledger.open, Ledger.prepare):
        with pytest.raises(OtherSchema, match="was written by a newer Gatelatch: it has schema"):
            opening()
    with old._engine.connect() as link:
        assert migrations.schema_number(link) == SCHEMA + 1


def test_tables_from_before_the_first_release_are_named_with_what_they_lack(url: str) -> None:
    ledger = Ledger(url)
    with ledger._engine.begin() as link:
        link.exec_driver_sql("create table proposals (id integer primary key, model text)")
    with pytest.raises(OtherSchema, match=r"table proposals has no column champion, episode, "):
        ledger.create()
    with ledger._engine.connect() as link:
        assert migrations.schema_number(link) == 0  # nothing of it is kept
        assert "chain" not in sa.inspect(link).get_table_names()
    ledger._engine.dispose()


def test_figures_of_release_0_1_are_read_to_the_last_digit(old: Ledger) -> None:
    old.create()
    for seen in old.history("churn"):
        assert seen.numbers.to_json() == dict(seen.figures)

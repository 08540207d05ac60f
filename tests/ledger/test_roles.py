"""Roles of PostgreSQL: whoever works on the ledger may append, and undo nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tasks.ledger import roles, triggers
from tasks.ledger.ledger import Ledger
from tasks.ledger.roles import RoleRefused
from tasks.ledger.tables import META
from tests.conftest import POSTGRES, database_in_postgres
from tests.support.rows import observation


@pytest.fixture
def role() -> Iterator[str]:
    """Return a role that may log in, and is dropped afterwards."""
    name = f"gatelatch_{uuid4().hex[:12]}"
    admin = sa.create_engine(
        POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3}
    )
    try:
        with admin.connect() as link:
            link.exec_driver_sql(f"create role {name} login")
    except sa.exc.OperationalError:
        pytest.skip(f"PostgreSQL does not answer at {POSTGRES}")
    yield name
    with admin.connect() as link:
        link.exec_driver_sql(f"drop role {name}")
    admin.dispose()


@pytest.fixture
def owned(role: str) -> Iterator[str]:
    """Return a ledger's address, as the owner; it is gone before the role is."""
    with database_in_postgres("ledger", "psycopg") as url:
        ledger = Ledger(url)
        ledger.create()
        ledger.observe(observation(1))
        ledger.close()
        yield url


def as_role(url: str, role: str) -> str:
    return sa.make_url(url).set(username=role).render_as_string(hide_password=False)


@contextmanager
def opened(url: str, role: str) -> Iterator[Ledger]:
    ledger = Ledger(as_role(url, role))
    yield ledger
    ledger.close()


TRIGGERS = {
    name: next(table for table in META.tables if name.startswith(f"{table}_"))
    for name in triggers._ddl(META, "postgresql")
}
SEQUENCES = [
    f"{name}_{column.name}_seq"
    for name, table in META.tables.items()
    if (column := table.autoincrement_column) is not None
]
UNDONE = (
    *(f"update {table} set model = 'x'" for table in META.tables),
    *(f"delete from {table}" for table in META.tables),
    *(f"truncate {table}" for table in META.tables),
    *(f"drop trigger {name} on {table}" for name, table in TRIGGERS.items()),
    *(f"alter table {table} disable trigger all" for table in META.tables),
    *(
        f"create trigger mine before insert on {table} for each row "
        "execute function gatelatch_append_only()"
        for table in META.tables
    ),
    *(f"create rule mine as on insert to {table} do instead nothing" for table in META.tables),
    *(f"alter table {table} add column mine integer" for table in META.tables),
    *(f"alter table {name} drop column {table.c[0].name}" for name, table in META.tables.items()),
    *(f"select setval('{sequence}', 1)" for sequence in SEQUENCES),
    "create table mine (id integer)",
    # It would be looked up before the ledger's own table.
    "create temporary table observations (id integer)",
    *(f"drop table {table}" for table in META.tables),
    "drop function gatelatch_append_only() cascade",
    "create or replace function gatelatch_append_only() returns trigger language plpgsql as "
    "$$ begin return new; end $$",
    "update gatelatch_schema set version_num = '9'",
    "insert into gatelatch_schema values ('9')",
    "set session_replication_role = replica",
)


def test_every_table_has_a_trigger_to_be_dropped() -> None:
    assert set(TRIGGERS.values()) == set(META.tables)


def test_every_sequence_of_the_ledger_is_known_here(owned: str) -> None:
    engine = sa.create_engine(owned)
    assert sorted(sa.inspect(engine).get_sequence_names()) == sorted(SEQUENCES)
    assert SEQUENCES
    engine.dispose()


def test_a_writer_appends_and_can_undo_nothing_by_any_statement(owned: str, role: str) -> None:
    roles.grant(owned, writers=[role], readers=[])
    with opened(owned, role) as ledger:
        ledger.create()  # nothing is left to be made, so it needs no right
        ledger.observe(observation(2))
        assert len(ledger.history("churn")) == 2
    name = sa.make_url(owned).database
    owner = sa.create_engine(owned)
    with owner.begin() as link:  # as ops/team/databases/databases.sql does
        link.exec_driver_sql(f"revoke temporary on database {name} from public")
    owner.dispose()
    engine = sa.create_engine(as_role(owned, role))
    for statement in UNDONE:
        with pytest.raises(sa.exc.DBAPIError) as refused, engine.begin() as link:
            link.exec_driver_sql(statement)
        # Insufficient privilege, and not the trigger, which a right would only have reached.
        assert getattr(refused.value.orig, "sqlstate", "") == "42501", statement
    engine.dispose()


def test_the_owner_alone_may_thin_figures(owned: str, role: str) -> None:
    roles.grant(owned, writers=[role], readers=[])
    with opened(owned, role) as ledger:
        assert not ledger.may_thin()
    owner = Ledger(owned)
    assert owner.may_thin()
    owner.close()


def test_a_reader_reads_and_appends_nothing(owned: str, role: str) -> None:
    roles.grant(owned, writers=[], readers=[role])
    with opened(owned, role) as ledger:
        assert len(ledger.history("churn")) == 1
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            ledger.observe(observation(2))


def test_a_writer_who_becomes_a_reader_loses_the_right_to_append(owned: str, role: str) -> None:
    roles.grant(owned, writers=[role], readers=[])
    roles.grant(owned, writers=[], readers=[role])
    denied = pytest.raises(sa.exc.ProgrammingError, match="permission denied")
    with opened(owned, role) as ledger, denied:
        ledger.observe(observation(2))


def test_the_owner_and_a_role_that_is_not_there_are_refused_by_name(owned: str, role: str) -> None:
    owner = sa.make_url(owned).username or ""
    with pytest.raises(RoleRefused, match=rf"the role {owner} owns the ledger's tables"):
        roles.grant(owned, writers=[owner], readers=[])
    with pytest.raises(RoleRefused, match="no role nobody_here: create it"):
        roles.grant(owned, writers=[], readers=["nobody_here"])


def test_sqlite_has_no_roles_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(RoleRefused, match="SQLite has no roles"):
        roles.grant(f"sqlite:///{tmp_path / 'ledger.db'}", writers=["a"], readers=[])

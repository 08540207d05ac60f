"""Rights of PostgreSQL's roles on the ledger: whoever writes may append, whoever reads may read.

The tables' owner alone can drop a trigger, so the processes that work all day are not the owner.
"""

from __future__ import annotations

import sqlalchemy as sa

from tasks.errors import Final
from tasks.ledger import engine as database
from tasks.ledger import migrations
from tasks.ledger.tables import META


class RoleRefused(Final):
    """A role cannot be given its rights: names it, and the way out."""


def grant(url: str, *, writers: list[str], readers: list[str]) -> None:
    """Let roles append to, or only read, a ledger that is ready; other rights on it they lose.

    Parameters
    ----------
    url
        the ledger, as the role that owns its tables
    writers
        roles that may read and append
    readers
        roles that may read

    Raises
    ------
    RoleRefused
        If the ledger is no PostgreSQL, or a role does not exist or owns the tables.
    """
    engine = database.engine_of(url)
    try:
        if engine.dialect.name != "postgresql":
            raise RoleRefused(
                "SQLite has no roles: name a ledger in PostgreSQL, or no --writer or --reader"
            )
        with engine.begin() as link:
            for role in writers:
                _grant(link, role, "select, insert")
            for role in readers:
                _grant(link, role, "select")
    finally:
        engine.dispose()


def _grant(link: sa.Connection, role: str, rights: str) -> None:
    if not link.scalar(sa.text("select 1 from pg_roles where rolname = :role"), {"role": role}):
        raise RoleRefused(f"PostgreSQL has no role {role}: create it before")
    if role == link.scalar(sa.text("select current_user")):
        raise RoleRefused(
            f"the role {role} owns the ledger's tables, and an owner can drop their triggers: run "
            "this command as another role"
        )
    quote = link.dialect.identifier_preparer.quote
    tables = ", ".join(quote(table.name) for table in META.sorted_tables)
    named, schema = quote(role), quote(str(link.scalar(sa.text("select current_schema()"))))
    for said in (
        f"revoke all on all tables in schema {schema} from {named}",
        f"revoke all on all sequences in schema {schema} from {named}",
        f"grant usage on schema {schema} to {named}",
        f"grant {rights} on {tables} to {named}",
        f"grant select on {quote(migrations.TABLE)} to {named}",
    ):
        link.exec_driver_sql(said)
    if "insert" in rights:
        link.exec_driver_sql(f"grant usage on all sequences in schema {schema} to {named}")

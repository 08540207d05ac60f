"""The schema of a ledger: its number, and the way to today's from any earlier one or from none."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from tasks.disk import Unusable
from tasks.ledger import triggers
from tasks.ledger.tables import META

SCHEMA = 4  # the newest of revisions/
TABLE = "gatelatch_schema"  # not Alembic's usual name, which Airflow's own number has
_HERE = Path(__file__).parent
_TABLES = {
    "sqlite": "select name from sqlite_master where type = 'table'",
    "postgresql": "select relname from pg_class where relkind in ('r', 'p') "
    "and relnamespace = current_schema()::regnamespace",
}


class OtherSchema(Unusable):
    """A ledger that another release wrote: names the numbers and the way out."""


def schema_number(link: sa.Connection) -> int | None:
    """Return the number of the ledger's schema; None if there is no ledger.

    0 are tables without a number, which is how release 0.1 left them.
    """
    # Each task asks: a statement of SQLAlchemy's inspector would cost it as much as its own reads.
    there = set(link.exec_driver_sql(_TABLES[link.dialect.name]).scalars())
    if TABLE in there:
        found = link.exec_driver_sql(f"select version_num from {TABLE}").scalar()
        return 0 if found is None else int(found)
    return 0 if there & META.tables.keys() else None


def make_ready(engine: sa.Engine) -> None:
    """Make an empty ledger ready; leave the one of another release as it is.

    Raises
    ------
    OtherSchema
        If the ledger's schema is older or newer than this code.
    """
    with engine.connect() as link:
        found = schema_number(link)
        if _ready(link, found):
            return
    if found is not None and found < SCHEMA:
        raise _older(engine, found)
    upgrade(engine)


def _ready(link: sa.Connection, found: int | None) -> bool:
    """Return whether nothing is to do; whoever may only read and insert needs no more."""
    return found == SCHEMA and triggers.protected(link, META)


def require_schema(engine: sa.Engine) -> None:
    """Require today's schema of a ledger that is only read.

    Raises
    ------
    OtherSchema
        If it is older or newer than this code, or if there are no tables yet.
    """
    with engine.connect() as link:
        found = schema_number(link)
    if found is None:
        raise OtherSchema(
            f"the ledger {_named(engine)} has no tables yet; run `python -m tasks init`"
        )
    if found < SCHEMA:
        raise _older(engine, found)
    if found > SCHEMA:
        raise _newer(engine, found)


def _older(engine: sa.Engine, found: int) -> OtherSchema:
    wrote = f"has schema {found}" if found else "has no schema number, as release 0.1 left it"
    return OtherSchema(
        f"the ledger {_named(engine)} {wrote}, and this Gatelatch works on schema {SCHEMA}; "
        "back the ledger up and run `python -m tasks init`"
    )


def _newer(engine: sa.Engine, found: int) -> OtherSchema:
    return OtherSchema(
        f"the ledger {_named(engine)} was written by a newer Gatelatch: it has schema "
        f"{found}, and this one knows schema {SCHEMA} at the most; install that release"
    )


def upgrade(engine: sa.Engine) -> None:
    """Bring a ledger to today's schema, with its triggers; safe to repeat, and among processes.

    All of it is one transaction. No row is changed: the triggers refuse that.

    Raises
    ------
    OtherSchema
        If a newer release wrote the ledger, or one from before the first release.
    """
    with engine.connect() as link:
        if _ready(link, schema_number(link)):
            return
    with engine.begin() as link:
        triggers.alone(link, "tables")
        found = schema_number(link) or 0
        if found > SCHEMA:
            raise _newer(engine, found)
        if found < SCHEMA:
            _run(link)
            _need_columns(link, engine)
        triggers.protect(link, META)


def _run(link: sa.Connection) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, MigrationStep
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(_HERE), version_locations=[str(_HERE / "revisions")])

    def steps(current: object, _: MigrationContext) -> list[MigrationStep]:
        (before,) = current if isinstance(current, tuple) and current else ("base",)
        newer = list(script.iterate_revisions("head", str(before)))
        return [MigrationStep.upgrade_from_script(script.revision_map, r) for r in newer[::-1]]

    context = MigrationContext.configure(link, opts={"fn": steps, "version_table": TABLE})
    with Operations.context(context):
        context.run_migrations()


def _need_columns(link: sa.Connection, engine: sa.Engine) -> None:
    """Raise OtherSchema if a table lacks a column, as those from before release 0.1 may."""
    there = sa.inspect(link)
    for table in META.sorted_tables:
        missing = {c.name for c in table.columns} - {
            c["name"] for c in there.get_columns(table.name)
        }
        if missing:
            raise OtherSchema(
                f"the ledger {_named(engine)} is from before release 0.1: its table {table.name} "
                f"has no column {', '.join(sorted(missing))}; begin a new ledger, or restore one "
                "that a release wrote"
            )


def _named(engine: sa.Engine) -> str:
    return f"{engine.url.render_as_string()} (GATELATCH_LEDGER)"

"""Make the ledger's tables append-only in the database itself, for whoever writes to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sqlalchemy as sa

_REFUSAL = "the ledger is append-only"
_POSTGRESQL_FUNCTION = f"""
create or replace function gatelatch_append_only() returns trigger language plpgsql as $$
begin
  raise exception using
    errcode = 'restrict_violation',
    message = '{_REFUSAL}: ' || tg_table_name || ' refuses ' || tg_op;
end $$
"""
_POSTGRESQL_TRIGGER = """
create trigger {table}_append_only before update or delete or truncate on {table}
for each statement execute function gatelatch_append_only()
"""
_SQLITE_TRIGGERS = {
    operation: f"""
create trigger if not exists {{table}}_append_only_{operation} before {operation} on {{table}}
begin select raise(abort, '{_REFUSAL}: {{table}} refuses {operation.upper()}'); end
"""
    for operation in ("update", "delete")
}
# INSERT OR REPLACE deletes the earlier row without asking a DELETE trigger.
_SQLITE_TRIGGERS["replace"] = f"""
create trigger if not exists {{table}}_append_only_replace before insert on {{table}}
when {{there_already}}
begin select raise(abort, '{_REFUSAL}: {{table}} has this row already'); end
"""


# Figures may be thinned, and nothing else of a row, once an expiry that names the row is written.
THINNED = "observations"
_THINNED_FUNCTION = f"""
create or replace function gatelatch_thinned() returns trigger language plpgsql as $$
begin
  if to_jsonb(new) - 'figures' = to_jsonb(old) - 'figures'
    and new.figures -> 'expired' is not null
    and exists (
      select 1 from expiries
      where model = old.model and kind = 'figures' and expired -> old.id::text is not null
    )
  then
    return new;
  end if;
  raise exception using
    errcode = 'restrict_violation',
    message = '{_REFUSAL}: ' || tg_table_name || ' refuses ' || tg_op;
end $$
"""
_POSTGRESQL_THINNED = {
    "rest": """
create trigger {table}_append_only_rest before delete or truncate on {table}
for each statement execute function gatelatch_append_only()
""",
    "thinned": """
create trigger {table}_append_only_thinned before update on {table}
for each row execute function gatelatch_thinned()
""",
}
_SQLITE_THINNED = f"""
create trigger if not exists {{table}}_append_only_thinned before update on {{table}}
when not coalesce({{same}} and json_extract(new.figures, '$.expired') is not null and exists (
  select 1 from expiries where model = old.model and kind = 'figures'
  and json_extract(expired, '$."' || old.id || '"') is not null
), 0)
begin select raise(abort, '{_REFUSAL}: {{table}} refuses UPDATE'); end
"""


def protected(link: sa.Connection, tables: sa.MetaData) -> bool:
    """Return whether every table has its triggers."""
    return not missing_triggers(link, tables)


def missing_triggers(link: sa.Connection, tables: sa.MetaData) -> list[str]:
    """Return the names of the triggers that are not there."""
    return sorted(_ddl(tables, link.dialect.name).keys() - _found(link))


def disabled_triggers(link: sa.Connection, tables: sa.MetaData) -> list[str]:
    """Return the names of those that are there and switched off, which PostgreSQL's owner can."""
    if link.dialect.name == "sqlite":
        return []
    query = (
        "select t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid "
        "where c.relnamespace = current_schema()::regnamespace and t.tgenabled in ('D', 'R')"
    )
    off = set(link.execute(sa.text(query)).scalars())
    return sorted(_ddl(tables, link.dialect.name).keys() & off)


def protect(link: sa.Connection, tables: sa.MetaData) -> None:
    """Create what is missing of the tables' triggers."""
    found = _found(link)
    if link.dialect.name == "postgresql":
        link.exec_driver_sql(_POSTGRESQL_FUNCTION)
        link.exec_driver_sql(_THINNED_FUNCTION)
    for name, ddl in _ddl(tables, link.dialect.name).items():
        if name not in found:
            link.exec_driver_sql(ddl)


def alone(link: sa.Connection, what: str) -> None:
    """Keep others from writing to `what` until this transaction ends; to be called first in it."""
    if link.dialect.name == "sqlite":
        link.exec_driver_sql("begin immediate")
    else:
        # No right on any table is needed for it, and no other model waits.
        name = sa.func.hashtextextended(f"gatelatch {what}", 0)
        link.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))


@cache
def _ddl(tables: sa.MetaData, dialect: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for table in tables.sorted_tables:
        if dialect == "postgresql" and table.name == THINNED:
            for kind, ddl in _POSTGRESQL_THINNED.items():
                found[f"{table.name}_append_only_{kind}"] = ddl.format(table=table.name)
            continue
        if dialect == "postgresql":
            found[f"{table.name}_append_only"] = _POSTGRESQL_TRIGGER.format(table=table.name)
            continue
        there = " or ".join(_same(table.name, key) for key in _keys(table))
        for operation, ddl in _SQLITE_TRIGGERS.items():
            if (table.name, operation) == (THINNED, "update"):
                same = " and ".join(
                    f"new.{c.name} is old.{c.name}" for c in table.c if c.name != "figures"
                )
                name = f"{table.name}_append_only_thinned"
                found[name] = _SQLITE_THINNED.format(table=table.name, same=same)
                continue
            name = f"{table.name}_append_only_{operation}"
            found[name] = ddl.format(table=table.name, there_already=there)
    return found


def _keys(table: sa.Table) -> list[list[str]]:
    unique = (sa.PrimaryKeyConstraint, sa.UniqueConstraint)
    return [[c.name for c in key.columns] for key in table.constraints if isinstance(key, unique)]


def _same(table: str, key: list[str]) -> str:
    equal = " and ".join(f"{column} = new.{column}" for column in key)
    return f"exists (select 1 from {table} where {equal})"


def _found(link: sa.Connection) -> set[str]:
    if link.dialect.name == "sqlite":
        query = "select name from sqlite_master where type = 'trigger'"
    else:
        query = (
            "select t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid "
            "where c.relnamespace = current_schema()::regnamespace"
        )
    return set(link.exec_driver_sql(query).scalars())

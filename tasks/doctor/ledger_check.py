"""The ledger's database: reached, of today's schema, writable by this role, append-only, intact."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tasks import disk
from tasks.doctor.finding import Finding
from tasks.doctor.patient import Patient
from tasks.errors import GatelatchError
from tasks.ledger import triggers
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.migrations import OtherSchema
from tasks.ledger.tables import META
from tasks.signing.keyring import KeyUnusable

_CHANGES = ("update", "delete", "truncate", "trigger")
_RIGHTS = sa.text(
    "select c.relname as name, "
    "has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert') as appends, "
    + ", ".join(f"has_table_privilege(c.oid, '{right}') as {right}" for right in _CHANGES)
    + ", pg_has_role(c.relowner, 'usage') as owns "
    "from pg_class c "
    "where c.relnamespace = current_schema()::regnamespace and c.relname = any(:tables)"
)
_SERVER = sa.text(
    "select pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on', "
    "current_user, (select rolsuper from pg_roles where rolname = current_user)"
)


@dataclass(frozen=True, kw_only=True)
class LedgerRights:
    """What this process may do with the ledger's tables.

    Parameters
    ----------
    role
        Its name at PostgreSQL; None: SQLite, which has no roles.
    read_only
        Why nothing at all can be written; None: something can.
    closed
        Tables that it cannot append to.
    changes
        What it may do besides, such as `update`, `owns` or `superuser`.
    """

    role: str | None
    read_only: str | None
    closed: Sequence[str]
    changes: Sequence[str]


def look_at_ledger(patient: Patient) -> Iterator[Finding]:
    """Yield why the ledger cannot be read, if it cannot."""
    try:
        patient.reader.promotions("")
    except OtherSchema as error:
        yield Finding(
            state="ill",
            finding=str(error),
            remedy="run `python -m tasks init` with this release, as the tables' owner",
            bars=True,
        )
    except GatelatchError as error:
        yield Finding(
            state="ill",
            finding=str(error),
            remedy="start the database or mount its disk, and check address, role and password in "
            "GATELATCH_LEDGER",
            bars=True,
        )
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        yield Finding(
            state="ill",
            finding=f"the ledger cannot be read ({disk.said(error)})",
            remedy="check the address, driver and rights in GATELATCH_LEDGER; the tables' owner "
            "grants `select, insert` on them",
            bars=True,
        )


def look_at_rights(patient: Patient) -> Iterator[Finding]:
    """Yield what this process may not do with the tables and has to, or may and should not."""
    with patient.reader.at_one_moment() as link:
        rights = _on_sqlite(link) if link.dialect.name == "sqlite" else _on_postgresql(link)
    yield from rights_findings(rights)


def rights_findings(rights: LedgerRights) -> Iterator[Finding]:
    """Yield what is wrong with the rights. Pure."""
    who = f"the role {rights.role}" if rights.role else "this process"
    if rights.read_only:
        yield Finding(
            state="ill",
            finding=f"the ledger takes no row: {rights.read_only}",
            remedy="make the database writable, or name the one that is in GATELATCH_LEDGER",
        )
    if rights.closed:
        yield Finding(
            state="ill",
            finding=f"{who} cannot append to {', '.join(rights.closed)}",
            remedy="let the tables' owner run: grant select, insert on all tables in schema … to "
            f"{rights.role}; grant usage on all sequences in schema … to {rights.role}",
        )
    if rights.changes:
        yield Finding(
            state="warning",
            finding=f"{who} may change what is recorded, or drop its triggers "
            f"({', '.join(rights.changes)})",
            remedy="let another role own the tables and run `python -m tasks init`, and grant "
            "this one select and insert alone",
        )


def look_at_triggers(patient: Patient) -> Iterator[Finding]:
    """Yield the triggers that are missing or switched off."""
    with patient.reader.at_one_moment() as link:
        missing = triggers.missing_triggers(link, META)
        off = triggers.disabled_triggers(link, META)
    then = (
        ", then `python -m tasks audit MODEL --verify` for each model: rows may have been changed"
    )
    if missing:
        yield Finding(
            state="ill",
            finding=f"the ledger can be changed: triggers are missing ({_few(missing)})",
            remedy=f"run `python -m tasks init` as the tables' owner{then}",
        )
    if off:
        yield Finding(
            state="ill",
            finding=f"the ledger can be changed: triggers are switched off ({_few(off)})",
            remedy=f"let the tables' owner run `alter table … enable trigger …`{then}",
        )


def look_at_chains(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with each model's chain, as a run of the monitor looks at it."""
    from tasks.audit import verification

    for spec in patient.specs:
        try:
            verification.require(patient.reader, spec.model)
        except LedgerRefused as fault:
            yield Finding(
                state="ill",
                finding=str(fault),
                remedy=f"see `python -m tasks audit {spec.model} --verify`, and restore the "
                "ledger, or let a person vouch for it with --adopt",
                model=spec.model,
            )
        except KeyUnusable as error:
            yield Finding(
                state="unseen",
                finding=f"no chain can be verified: {error}",
                remedy="mend the keys first (check `keys`)",
            )
            return


def _on_sqlite(link: sa.Connection) -> LedgerRights:
    # Beside the file SQLite writes another one, so it needs the folder as well.
    (row,) = (r for r in link.exec_driver_sql("pragma database_list") if r[1] == "main")
    file = Path(str(row[2]))
    closed = [place for place in (file, file.parent) if not os.access(place, os.W_OK)]
    reason = f"this process may not write to {closed[0]}" if closed else None
    return LedgerRights(role=None, read_only=reason, closed=(), changes=())


def _on_postgresql(link: sa.Connection) -> LedgerRights:
    read_only, role, superuser = link.execute(_SERVER).one()
    names = sorted(META.tables)
    rows: list[Any] = list(link.execute(_RIGHTS, {"tables": names}).mappings())
    sequences = sa.text(
        "select pg_get_serial_sequence(c.table_schema || '.' || c.table_name, c.column_name) "
        "from information_schema.columns c where c.table_schema = current_schema() "
        "and c.table_name = any(:tables) and c.column_name = 'id'"
    )
    numbered = [s for s in link.execute(sequences, {"tables": names}).scalars() if s]
    usable = sa.text("select has_sequence_privilege(:name, 'usage')")
    shut = [n for n in numbered if not link.execute(usable, {"name": n}).scalar()]
    held = [right for right in (*_CHANGES, "owns") if any(row[right] for row in rows)]
    return LedgerRights(
        role=str(role),
        read_only="the server or role is read-only" if read_only else None,
        closed=[row["name"] for row in rows if not row["appends"]] + shut,
        changes=["superuser"] if superuser else held,
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more

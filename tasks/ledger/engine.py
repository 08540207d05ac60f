"""How the ledger's database is reached: which one, how patiently, and as it is at one moment."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from tasks import disk, formats, secret_files
from tasks.errors import Final

PATIENCE = 30  # seconds, for another process's lock on SQLite
HASTE = 5  # seconds, for whoever only reads: a monitor asks again
_FILE = "gatelatch_file"  # which file a connection of SQLite has open


def address() -> str:
    """Return the URL that GATELATCH_LEDGER names, with the password of its file if one is named.

    Raises
    ------
    tasks.secret_files.SecretMissing
        If GATELATCH_LEDGER_PASSWORD_FILE names no usable file.
    """
    named = os.environ.get("GATELATCH_LEDGER") or "sqlite:///.run/ledger.db"
    password = secret_files.secret_of("GATELATCH_LEDGER_PASSWORD_FILE")
    if password is None:
        return named
    with _address():
        return sa.make_url(named).set(password=password).render_as_string(hide_password=False)


class NoAddress(Final):
    """What should name the ledger's database names none; the text quotes none of it."""


@contextmanager
def _address() -> Iterator[None]:
    """Name the variable if the address is none: the library's own error may quote a password."""
    try:
        yield
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:
        raise NoAddress(
            f"GATELATCH_LEDGER is no address of a database ({type(error).__name__}); write "
            "postgresql+psycopg://ROLE:PASSWORD@HOST/DATABASE, with %-signs for special signs of "
            "the password, or sqlite:////path/ledger.db"
        ) from None


def engine_of(url: str) -> sa.Engine:
    """Return the engine of a ledger, which may not be there yet."""
    # An API server keeps its connections: without the ping, an answer would meet one that a restart
    # of the database has ended.
    with _address():
        lasting = sa.make_url(url).get_backend_name() != "sqlite"
        engine = sa.create_engine(url, pool_pre_ping=lasting, json_deserializer=formats.stored_json)
    _name_refusals(engine, engine.url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _patient)
        _notice_another_file(engine)
        return engine
    # Each statement sees what was committed before it: the chain's head, once it waits.
    return engine.execution_options(isolation_level="READ COMMITTED")


def engine_to_read(url: str) -> sa.Engine:
    """Return an engine that never writes, nor makes a file where there is none."""
    with _address():
        made = sa.make_url(url)
        remote = made.get_dialect().name != "sqlite"
        if remote:
            engine = sa.create_engine(
                _soon(made), pool_pre_ping=True, json_deserializer=formats.stored_json
            )
    if remote:
        _name_refusals(engine, made)
        return engine.execution_options(postgresql_readonly=True)
    named = made
    if made.database and not made.database.startswith("file:"):
        file = f"file:{quote(os.path.abspath(made.database))}"
        made = made.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})
    # No connection outlives what is read on it, so that the file can be replaced at any time: as
    # long as somebody has it open, SQLite keeps what was written last in a file beside it.
    engine = sa.create_engine(made, poolclass=sa.NullPool, json_deserializer=formats.stored_json)
    _name_refusals(engine, named)
    sa.event.listen(engine, "connect", _wait_for_locks_soon)
    return engine


def _soon(url: sa.URL) -> sa.URL:
    """Return a URL of PostgreSQL that gives up soon where nobody answers, or a lock is held."""
    waits = {"connect_timeout": str(HASTE), **url.query}
    options = f"{url.query.get('options', '')} -c lock_timeout={HASTE * 1000}".strip()
    return url.set(query={**waits, "options": options})


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection on which everything that is read is of one moment."""
    with engine.connect() as link:
        begin_snapshot(link)
        yield link


def begin_snapshot(link: sa.Connection) -> None:
    """Let whatever is read next on this connection be of one moment."""
    if link.dialect.name == "sqlite":
        link.exec_driver_sql("begin")
    else:
        link.execution_options(isolation_level="REPEATABLE READ")


def _name_refusals(engine: sa.Engine, named: sa.URL) -> None:
    place = f"the ledger {named.render_as_string()} (GATELATCH_LEDGER)"
    sa.event.listen(engine, "handle_error", partial(disk.refused, place))


def _notice_another_file(engine: sa.Engine) -> None:
    """Open the file again if another one took its name: who restores a backup replaces it."""

    def remember(_: Any, record: Any) -> None:
        record.info[_FILE] = _file(engine)

    def compare(_: Any, record: Any, __: Any) -> None:
        if record.info[_FILE] != _file(engine):
            raise sa.exc.DisconnectionError

    sa.event.listen(engine, "connect", remember)
    sa.event.listen(engine, "checkout", compare)


def _file(engine: sa.Engine) -> tuple[int, int] | None:
    try:
        found = Path(engine.url.database or "").stat()
    except OSError:  # in memory, or gone: then connecting says so
        return None
    return found.st_dev, found.st_ino


def _patient(connection: Any, record: Any) -> None:
    _wait_for_locks(connection, record)
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        _write_ahead(connection)


def _wait_for_locks(connection: Any, _: Any) -> None:
    # Parallel windows write at once: wait for the lock instead of failing.
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000}")


def _wait_for_locks_soon(connection: Any, _: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {HASTE * 1000}")


def _write_ahead(connection: Any) -> None:
    """Let readers and a writer work at once, from now on; to switch to it, SQLite does not wait."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

    locked = retry_if_exception_type(sqlite3.OperationalError)
    patient = Retrying(
        retry=locked, stop=stop_after_delay(PATIENCE), wait=wait_random(0.01, 0.1), reraise=True
    )
    patient(connection.execute, "PRAGMA journal_mode = WAL")

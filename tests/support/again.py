"""What was written into one ledger, written into others by the same SQL: the same rows, sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from tasks.ledger import triggers
from tasks.ledger.ledger import Ledger

Write = Callable[[Ledger], object]
Statements = list[tuple[str, Any, bool]]

_NOT_WRITTEN = ("select", "pragma", "begin")
_known: dict[tuple[Write, str], Statements] = {}


def write_again(ledger: Ledger, write: Write) -> None:
    """Let `write` write into a ledger; from the second one on, run the SQL that it ran first.

    Each ledger has to be as the first one was before. Signatures hold, for all tests of a session
    sign with one key.
    """
    engine = ledger._engine
    known = _known.get((write, engine.dialect.name))
    if known is None:
        with _recorded(engine) as said:
            write(ledger)
        _known[write, engine.dialect.name] = said
        return
    with engine.begin() as link:
        triggers.alone(link, "tables")
        cursor = link.connection.cursor()
        for statement, parameters, many in known:
            (cursor.executemany if many else cursor.execute)(statement, parameters)
            if cursor.description:
                cursor.fetchall()  # SQLite ends a statement that returns rows only then
        cursor.close()


@contextmanager
def _recorded(engine: sa.Engine) -> Iterator[Statements]:
    said: Statements = []

    def record(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if not statement.lstrip().lower().startswith(_NOT_WRITTEN):
            said.append((statement, parameters, many))

    sa.event.listen(engine, "before_cursor_execute", record)
    try:
        yield said
    finally:
        sa.event.remove(engine, "before_cursor_execute", record)

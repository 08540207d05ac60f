"""What a process writes to the outside, counted, and the one at which it is killed or refused.

The writes are not listed by hand: an audit hook sees every file, SQLAlchemy every transaction.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_CHANGES = re.compile(r"(insert into|update|delete from) (\w+)", re.IGNORECASE)
_FRESH = re.compile(
    r"\d+-\w{8}(?=\.partial$)|(?<=uploading)\..*|artifacts/\w{32}/|(?<=model)/\w{12}"
)


class Writes:
    """Counts what this process writes below a folder and into databases, and ends it at one."""

    def __init__(self, folder: str, kill: int | None, full: int | None, said: Connection) -> None:
        self.over = False
        self._folder, self._kill, self._full, self._said = folder, kill, full, said
        self._count = 0
        self._source = b""
        self._changed: list[str] = []
        sys.addaudithook(self._file)
        sa.event.listen(sa.engine.Engine, "before_cursor_execute", self._statement)
        sa.event.listen(sa.engine.Engine, "commit", self._commit)
        sa.event.listen(sa.engine.Engine, "rollback", lambda _: self._changed.clear())

    def _file(self, event: str, args: tuple[Any, ...]) -> None:
        if self.over or event not in _WRITING:
            return
        path = str(args[_WRITING[event]])
        if not path.startswith(self._folder):
            return
        if event == "shutil.copyfile":
            source = Path(args[0]).read_bytes()
            self._source = source[: len(source) // 2]
        elif event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR):
            content, self._source = self._source, b""
            self._write(path, lambda: Path(path).write_bytes(content))
        elif event == "os.remove" and self._full is not None:
            return  # what is removed takes no space
        elif event in ("os.rename", "os.remove") or (
            event == "os.mkdir" and not Path(path).exists()
        ):
            self._write(f"{event[3:]} {path}")

    def _statement(self, link: sa.Connection, _: Any, statement: str, *__: Any) -> None:
        if found := _CHANGES.match(statement.lstrip()):
            self._changed.append(found[2])
            if self._full is not None and self._count >= self._full:
                link.connection.driver_connection.execute("pragma query_only = on")

    def _commit(self, link: sa.Connection) -> None:
        if self._changed:
            name = f"{Path(link.engine.url.database or '').name}: {', '.join(self._changed)}"
            self._changed.clear()
            self._write(name)

    def _write(self, name: str, half: Callable[[], Any] | None = None) -> None:
        if self.over:
            return
        if self._full is not None and self._count >= self._full:
            self._refuse(name, half)
        self._said.send(_plain(name.replace(self._folder, "")))
        if self._kill != self._count:
            self._count += 1
            return
        self.over = True
        if half is not None:
            half()
        os.kill(os.getpid(), signal.SIGKILL)

    def _refuse(self, name: str, half: Callable[[], Any] | None) -> None:
        self.over = True
        if half is not None:
            half()
        self.over = False
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)


def _plain(name: str) -> str:
    """Return a name without what is new each time: process, run and digest."""
    return _FRESH.sub("", name)


# Where each event has the path that is written.
_WRITING = {"open": 0, "os.mkdir": 0, "os.remove": 0, "os.rename": 1, "shutil.copyfile": 1}

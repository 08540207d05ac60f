"""Files that are first read by a process of their own, because reading them may end the process.

Some broken files make Arrow abort, past every Python error. Who has `begun` lets a child read each
file first, the same way: if the child dies of it, the file is named. Nobody else pays for a child.
docs/decisions/054-what-ends-a-process-is-read-apart.md
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

Way: TypeAlias = Literal["footer", "pages", "texts"]

# What a fault of native code ends with. Whom the kernel or an operator killed did not fail by it.
_FAULTS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
_COMMAND = [sys.executable, "-m", "tasks.data.apart"]


class _Reader:
    """The child, while there is one."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def ends_with(self, asked: str) -> int:
        """Return 0 if the child reads what it is asked to and lives, else what it ends with."""
        if self._child is None:
            self._child = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=Path(__file__).parents[2],
            )
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(BrokenPipeError):
            child.stdin.write(asked + "\n")
            child.stdin.flush()
            if child.stdout.readline():
                return 0
        self.end()
        return child.returncode

    def end(self) -> None:
        """Let the child go: it ends when nobody asks any more."""
        if self._child is not None:
            with suppress(BrokenPipeError):
                self._child.communicate()
            self._child = None


_reader: _Reader | None = None


def begin() -> None:
    """From here on, let a child read each file before this process does."""
    global _reader
    _reader = _reader or _Reader()


@contextmanager
def begun() -> Iterator[None]:
    """Let a child read each file first within this block."""
    global _reader
    begin()
    assert _reader is not None
    try:
        yield
    finally:
        _reader.end()
        _reader = None


def first(
    way: Way, fs: Any, path: str, groups: Sequence[int] = (), columns: Sequence[str] = ()
) -> None:
    """Let the child read a file that this process is about to read, if it has begun with that.

    Raises
    ------
    tasks.data.readers.SourceError
        If the child died of it.
    """
    if _reader is None:
        return
    name = fs.unstrip_protocol(path)
    code = _reader.ends_with(json.dumps([way, name, list(groups), list(columns)]))
    if -code in _FAULTS:
        from tasks.data.readers import SourceError

        raise SourceError(
            f"{name} cannot be read: it ends the process that reads it "
            f"({signal.Signals(-code).name}); it is broken, or made to do that; write it whole, "
            "then run this again"
        )


def _main() -> None:
    """Read each file that a line of the standard input asks for; answer each with a line.

    What a reader refuses by an error is the parent's to find: it reads the same.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold rows
    for asked in sys.stdin:
        way, name, groups, columns = json.loads(asked)
        with suppress(Exception):
            _read(way, name, groups, columns)
        print(flush=True)


def _read(way: Way, name: str, groups: list[int], columns: list[str]) -> None:
    import fsspec

    from tasks.data import csv_file, readers
    from tasks.data.unpacking import BATCH_ROWS

    fs, path = fsspec.core.url_to_fs(name)
    if way == "footer":
        if (file := readers.parquet(fs, path, name)) is not None:
            file.look_through()
        return
    if way == "pages":
        batches = readers.read_parquet(fs, path, groups, columns)
    else:
        batches = csv_file.read_texts(fs, path, list, BATCH_ROWS)
    for _ in batches:
        pass


if __name__ == "__main__":
    _main()

"""What becomes of a disk that is full, read-only or gone: a sentence, and nothing half-written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from tasks.errors import GatelatchError, Retryable

if TYPE_CHECKING:
    import sqlalchemy as sa


class Unusable(Retryable):
    """A place that cannot be used now: names it and the way out. Running again may help."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REASONS = {
    errno.ENOSPC: ("no space is left", "free some"),
    errno.EDQUOT: ("the disk quota is used up", "raise it, or free some"),
    errno.EFBIG: ("the file would be larger than this process may write", "raise ulimit -f"),
    errno.EROFS: ("it is read-only", "make it writable"),
    errno.EACCES: ("this process may not write there", "give it the right"),
    errno.EPERM: ("this process may not write there", "give it the right"),
    errno.ENOENT: ("its folder is not there", "create or mount it"),
    errno.ENOTDIR: ("a part of its path is a file", "name another place"),
    errno.EMFILE: ("too many files are open", "raise ulimit -n"),
    errno.EIO: ("the disk reports an error", "replace or repair it"),
}
# By which parts of a text it is known, whoever wrote that.
_SAID = {
    **{os.strerror(code): code for code in (*FULL, errno.EROFS)},
    "disk is full": errno.ENOSPC,  # SQLite
    "could not extend": errno.ENOSPC,  # PostgreSQL
    "readonly database": errno.EROFS,
    "read-only transaction": errno.EROFS,
}


def unwritten(place: str, error: BaseException) -> Unusable:
    """Return the error of a place that was not written."""
    code = error.errno if isinstance(error, OSError) else None
    reason, remedy = _REASONS.get(code or 0) or disk_refusal(error) or (said(error), "repair it")
    return Unusable(f"{place} cannot be written: {reason}; {remedy}, then run this again")


def said(error: BaseException) -> str:
    """Return an error's type and the first line of its text."""
    text = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {text}"


def disk_refusal(error: BaseException | None) -> tuple[str, str] | None:
    """Return what an error, or one that led to it, says of a disk that takes nothing.

    Libraries wrap it in errors of their own.

    Returns
    -------
    The reason and the remedy; None if it says nothing of the kind.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in (*FULL, errno.EROFS):
            return _REASONS[error.errno]
        for part, code in _SAID.items():
            if part in str(error):
                return _REASONS[code]
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def writing(place: str, errors: type[Exception] = OSError) -> Iterator[None]:
    """Make of an error in this block one that names the place. `errors` are those that count."""
    try:
        yield
    except GatelatchError:
        raise
    except errors as error:
        raise unwritten(place, error) from None


@contextmanager
def whole(path: Path, option: str) -> Iterator[Path]:
    """Yield where to write a file for people; it then takes its name whole, or not at all.

    What is no file, such as a pipe, is written as it stands. `option` is where the path was named.
    """
    with writing(f"{option} {path}"):
        if path.exists() and not path.is_file():
            yield path
            return
        path = path.resolve()  # a link, as /dev/stdout is one, stays
        partial = path.with_name(f"{uuid4().hex}.partial{path.suffix}")
        try:
            yield partial
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


@contextmanager
def whole_private(path: Path, option: str) -> Iterator[IO[str]]:
    """Yield a text file as `whole` does, which nobody but its owner may read."""
    with whole(path, option) as place:
        # Its mode is there before its first byte, whatever the umask.
        number = os.open(place, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
            yield file


# What databases call it: the beginnings of SQLite's names and of PostgreSQL's states.
_STATES = {
    "SQLITE_FULL": errno.ENOSPC,
    "SQLITE_CANTOPEN": errno.ENOENT,
    "SQLITE_READONLY": errno.EROFS,
    "SQLITE_IOERR": errno.EIO,
    "SQLITE_BUSY": None,
    "53100": errno.ENOSPC,
    "25006": errno.EROFS,
    **dict.fromkeys(("08", "53", "57", "58")),
}


def refused(place: str, context: sa.ExceptionContext) -> None:
    """Raise Unusable if a database cannot be reached or written; for SQLAlchemy's `handle_error`.

    What it says of a statement is left as it is: a constraint that does not hold, say.
    """
    import sqlalchemy as sa

    if context.is_pre_ping:  # the pool then makes a new connection, and that one is told of
        return
    if not isinstance(context.sqlalchemy_exception, sa.exc.OperationalError | sa.exc.InternalError):
        return
    error = context.original_exception
    state = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    known = [code for start, code in _STATES.items() if str(state).startswith(start)]
    if state is not None and not known:
        return
    reason, remedy = _REASONS.get(next(iter(known), None) or 0, (said(error), "repair it"))
    raise Unusable(f"{place} cannot be used: {reason}; {remedy}, then run this again") from None

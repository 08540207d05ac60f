"""Temporary folders: gone when their work ends, and after a `kill -9` when the next one is made."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

from tasks.disk import FULL, unwritten, writing

_NAME = "gatelatch-"
_NEW = 60  # seconds: a folder of that age surely has its lock, if anybody still works in it


@contextmanager
def folder() -> Iterator[str]:
    """Yield an empty temporary folder for this block alone.

    Raises
    ------
    tasks.disk.Unusable
        If it cannot be made, or if what is written there does not fit.
    """
    _sweep()
    with writing(f"the temporary folder {tempfile.gettempdir()} (TMPDIR)"):
        outer = tempfile.TemporaryDirectory(prefix=_NAME, ignore_cleanup_errors=True)
    with outer as name:
        with writing(f"the temporary folder {name} (TMPDIR)"):
            lock = os.open(f"{name}/lock", os.O_CREAT | os.O_RDONLY, 0o600)
            work = f"{name}/work"
            os.mkdir(work)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel opens it when this process ends
            yield work
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise unwritten(f"the temporary folder {name} (TMPDIR)", error) from None
        finally:
            os.close(lock)


def _sweep() -> None:
    for old in abandoned_folders():
        shutil.rmtree(old, ignore_errors=True)


def abandoned_folders() -> Iterator[Path]:
    """Yield the folders of this user that nobody works in: whoever did was killed."""
    with suppress(OSError):
        for old in Path(tempfile.gettempdir()).glob(f"{_NAME}*/"):
            with suppress(OSError):
                if not old.is_symlink() and old.stat().st_uid == os.getuid() and _idle(old):
                    yield old


def _idle(old: Path) -> bool:
    if time() - old.stat().st_mtime < _NEW:
        return False
    lock = os.open(old / "lock", os.O_CREAT | os.O_RDONLY | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True

"""The shared folder for what a run leaves behind: reports, briefs, charts, quarantine, summaries.

Any fsspec URL in GATELATCH_STORE. `reports/` is what the Airflow UI serves; it holds no row.
GATELATCH_STORE_PROFILE is who this process is for a store on S3: rows there may be read as another.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import PurePosixPath
from time import time
from typing import IO, Any
from uuid import uuid4

import fsspec

from tasks.disk import Unusable, said, writing

# Rows, or keys and margins: on a disk for owner and group alone, whatever the umask.
QUARANTINE, REVIEW, ADOPTED = "quarantine/", "review/", "adopted/"
_PRIVATE = (QUARANTINE, REVIEW, ADOPTED)
_PARTIAL = re.compile(r"(\d+)(-\w+)?\.partial$")
# Other processes write here too: by a list that it kept, a driver would miss or misread a file.
_ANEW = {"use_listings_cache": False}
_S3 = ("s3://", "s3a://")
_OLD = 3600  # seconds, after which nobody writes to a partial file any more


class NotKept(Unusable, OSError):
    """A file of the store cannot be read: names it, and the way out."""


class NotThere(NotKept, FileNotFoundError):
    """The store has no such file."""


def url(path: str) -> str:
    """Return the full URL of a path inside the store."""
    root = os.environ.get("GATELATCH_STORE") or ".run/store"
    return f"{root.rstrip('/')}/{path}"


def write(path: str, content: str | bytes) -> None:
    """Write a file whole: a reader sees the old content or the new, never half of it.

    Raises
    ------
    tasks.disk.Unusable
        If it cannot be written. Nothing of it is left behind then.
    """
    _write(path, BytesIO(content.encode() if isinstance(content, str) else content))


def put(path: str, local: str) -> None:
    """Copy a local file into the store, whole or not at all. Raises as `write` does."""
    with open(local, "rb") as file:
        _write(path, file)


@contextmanager
def reading(path: str) -> Iterator[IO[bytes]]:
    """Yield an open file. Raises NotKept, an OSError, if it cannot be read."""
    with _system_told(path), ExitStack() as opened:
        with _driver_told(path):
            file = opened.enter_context(fsspec.open(url(path), "rb", **_options(url(path))))
        yield file


@contextmanager
def _system_told(path: str) -> Iterator[None]:
    """Make of an OSError an error of ours."""
    try:
        yield
    except NotKept:
        raise
    except OSError as error:
        kind = NotThere if isinstance(error, FileNotFoundError) else NotKept
        raise kind(
            f"{_place(path)} cannot be read: {error.strerror or said(error)}; mount "
            "or restore the store, or clear this run from its first task on"
        ) from None


def read_bytes(path: str) -> bytes:
    """Return a file's content. Raises NotKept, an OSError, if it cannot be read."""
    with reading(path) as file, _driver_told(path):
        return bytes(file.read())


@contextmanager
def _driver_told(path: str) -> Iterator[None]:
    """Make of what a driver raises an error of ours, unless it is an OSError."""
    try:
        yield
    except OSError:
        raise
    except (ImportError, ValueError) as error:
        raise NotKept(
            f"{_place(path)} cannot be read: {said(error)}; correct GATELATCH_STORE or what is "
            "named here, or install what its protocol needs"
        ) from None
    except Exception as error:  # drivers of remote stores have error classes of their own
        raise NotKept(
            f"{_place(path)} cannot be read: {said(error)}; see that its server answers, then "
            "run this again"
        ) from None


def files_below(folder: str) -> list[str]:
    """Return the paths in the store of all files below a folder; none if it is not there.

    Raises
    ------
    NotKept
        If the store does not answer.
    """
    with _system_told(folder), _driver_told(folder):
        fs, root = _filesystem(url(""))
        # Not behind `exists`, by which a store that does not answer has nothing.
        found = fs.find(_filesystem(url(folder))[1])
    return sorted(str(name)[len(root.rstrip("/")) + 1 :] for name in found)


def remove(path: str) -> None:
    """Remove a file; one that is gone already is no fault. Raises as `write` does."""
    with writing(_place(path), Exception):
        fs, name = _filesystem(url(path))
        with suppress(FileNotFoundError):
            fs.rm_file(name)


def probe() -> None:
    """Write a file beside what is kept, and remove it. Raises Unusable if that fails."""
    with writing(_place(""), Exception):
        fs, root = _filesystem(url(""))
        # Named as what a killed process leaves, so that nobody keeps it if this one is killed.
        partial = f"{root.rstrip('/')}/{_partial()}"
        fs.pipe_file(partial, b"")
        fs.rm_file(partial)


def half_written() -> Iterator[str]:
    """Yield the files that a killed process left half-written, anywhere in the store.

    Raises
    ------
    NotKept
        If the store does not answer.
    """
    with _system_told(""), _driver_told(""):
        fs, root = _filesystem(url(""))
        for folder, _, names in fs.walk(root, on_error=_unless_gone):
            yield from (f"{folder}/{name}" for name in names if _left(name))


def _unless_gone(error: OSError) -> None:
    """Raise what a walk would pass over, but for a folder that is not there any more."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _filesystem(target: str) -> tuple[Any, str]:
    """Return the driver of a URL, and the path in it."""
    fs, path = fsspec.core.url_to_fs(target, **_options(target))
    return fs, str(path)


def _options(target: str) -> dict[str, Any]:
    """Return what the driver of a URL is told."""
    profile = _profile()
    of_store = profile and target.startswith(_S3) and target.startswith(url(""))
    return {**_ANEW, "profile": profile} if of_store else _ANEW


def _profile() -> str | None:
    return os.environ.get("GATELATCH_STORE_PROFILE") or None


def _place(path: str) -> str:
    """Return how a file of the store is called in errors, with what says where and who."""
    told = "GATELATCH_STORE"
    if _profile() and url("").startswith(_S3):
        kept = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
        told += f" as {_profile()} of {kept}"
    return f"{url(path)} ({told})"


def _partial() -> str:
    return f"{int(time())}-{uuid4().hex[:8]}.partial"


def _left(name: str) -> bool:
    found = _PARTIAL.search(name)
    return found is not None and time() - int(found[1]) > _OLD


def _write(path: str, content: IO[bytes]) -> None:
    with whole_at(url(path), _place(path), private=path.startswith(_PRIVATE)) as file:
        shutil.copyfileobj(content, file)


@contextmanager
def whole_at(target: str, place: str, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Yield a file that takes its name, an fsspec URL, whole or not at all.

    Parameters
    ----------
    place
        How the file is called in errors.
    private
        Whether its owner and group alone may read it, where that can be said.

    Raises
    ------
    tasks.disk.Unusable
        If it cannot be written. Nothing of it is left behind then.
    """
    with writing(place, Exception):
        fs, name = _filesystem(target)
    # Drivers of remote stores have error classes of their own.
    with writing(place, OSError if "file" in fs.protocol else Exception):
        folder = PurePosixPath(name).parent
        fs.makedirs(str(folder), exist_ok=True)
        _sweep(fs, str(folder))
        partial = f"{folder}/{_partial()}"
        try:
            with fs.open(partial, "wb") as file:
                yield file
            if private and "file" in fs.protocol:
                os.chmod(partial, os.stat(partial).st_mode & ~0o007)
            _rename(fs, partial, name)
        except BaseException:
            with suppress(Exception):
                fs.rm_file(partial)
            raise


def _rename(fs: Any, partial: str, name: str) -> None:
    if "file" in fs.protocol:
        os.replace(partial, name)  # fsspec's `mv` copies to the name itself if it cannot rename
    else:
        fs.mv(partial, name)


def _sweep(fs: Any, folder: str) -> None:
    """Remove what a `kill -9` left half-written in a folder."""
    there: list[Any] = []
    with suppress(FileNotFoundError):  # an object store has no folder before its first file
        there = fs.ls(folder, detail=False)
    for name in there:
        if _left(str(name)):
            with suppress(Exception):  # another process was faster
                fs.rm_file(str(name))

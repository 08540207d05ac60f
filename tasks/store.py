"""The shared folder for what a run leaves behind: reports, briefs, charts, quarantine, summaries.

Any fsspec URL in GATELATCH_STORE. `reports/` is what the Airflow UI serves; it holds no row.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import fsspec


def url(path: str) -> str:
    """Return the full URL of a path inside the store."""
    root = os.environ.get("GATELATCH_STORE") or ".run/store"
    return f"{root.rstrip('/')}/{path}"


def write(path: str, content: str | bytes) -> None:
    """Write a file whole: a reader sees the old content or the new, never half of it."""
    target = url(path)
    fs, name = fsspec.core.url_to_fs(target)
    fs.makedirs(str(PurePosixPath(name).parent), exist_ok=True)
    partial = f"{name}.{os.getpid()}.partial"
    with fs.open(partial, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    fs.mv(partial, name)


def read(path: str) -> bytes:
    """Return a file's content. Raises FileNotFoundError."""
    with fsspec.open(url(path), "rb") as file:
        return bytes(file.read())


def put(path: str, local: str) -> None:
    """Copy a local file into the store, whole or not at all."""
    with open(local, "rb") as file:
        write(path, file.read())

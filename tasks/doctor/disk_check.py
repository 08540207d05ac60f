"""Disks that are almost full: of the store, the artifacts, the databases, and temporary files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import fsspec
import sqlalchemy as sa

from tasks import store
from tasks.doctor.finding import Finding
from tasks.ledger import engine

FULL_BYTES = 256 * 2**20  # what a window with its model and summaries may need
LOW_BYTES = 2 * 2**30
_FULL_FILES, _LOW_FILES = 0.01, 0.05  # of all that the file system can have


@dataclass(frozen=True, kw_only=True)
class DiskSpace:
    """What is free on the disk of a place; `files` is a share, 1 where nobody counts."""

    places: str
    folder: str
    bytes: int
    files: float


def look_at_disks(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which disks are almost full."""
    yield from disk_findings(_spaces(_places(environment)))


def disk_findings(spaces: Iterable[DiskSpace]) -> Iterator[Finding]:
    """Yield which disks are almost full. Pure."""
    for space in spaces:
        full = space.bytes < FULL_BYTES or space.files < _FULL_FILES
        if not full and space.bytes >= LOW_BYTES and space.files >= _LOW_FILES:
            continue
        left = f"{space.bytes // 2**20} MiB"
        if space.files < _LOW_FILES:
            left += f" and {space.files:.0%} of its files"
        yield Finding(
            state="ill" if full else "warning",
            finding=f"the disk of the {space.places} ({space.folder}) has {left} left",
            remedy="free space there or enlarge it; old reports and quarantine of the store can "
            "go, and logs of Airflow",
        )


def _places(environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    yield "ledger", _database(engine.address())
    yield "store", _local(store.url(""))
    yield "artifacts", _local(environment.get("GATELATCH_ARTIFACTS") or "")
    yield "MLflow's database", _database(environment.get("MLFLOW_TRACKING_URI") or "")
    yield "temporary folder", tempfile.gettempdir()


def _local(url: str) -> str | None:
    if not url:
        return None
    fs, name = fsspec.core.url_to_fs(url)
    return str(name) if "file" in fs.protocol else None


def _database(url: str) -> str | None:
    try:
        made = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return None  # another check says so
    local = made.get_backend_name() == "sqlite" and made.database
    return os.path.dirname(os.path.abspath(str(made.database))) if local else None


def _spaces(places: Iterable[tuple[str, str | None]]) -> Iterator[DiskSpace]:
    """Yield the disks of these places, each once."""
    of_disk: dict[int, list[tuple[str, str]]] = {}
    for what, folder in places:
        there = folder and next((p for p in (Path(folder), *Path(folder).parents) if p.exists()), 0)
        if there:
            of_disk.setdefault(os.stat(there).st_dev, []).append((what, str(there)))
    for named in of_disk.values():
        free = os.statvfs(named[0][1])
        yield DiskSpace(
            places=", ".join(what for what, _ in named),
            folder=named[0][1],
            bytes=free.f_bavail * free.f_frsize,
            files=free.f_favail / free.f_files if free.f_files else 1.0,
        )

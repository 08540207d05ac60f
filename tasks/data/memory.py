"""Rows that are held in memory as a whole, as training does: refused before they exhaust it."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.data.unpacking import unpacked_bytes

if TYPE_CHECKING:
    import pyarrow as pa

COPIES = 4  # of its rows: as they are read, sorted, as features, and as the estimator has them
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def limit() -> int:
    """Return the bytes that this process may take: the machine's, or what its container has."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(Path, _CGROUPS):
        text = path.read_text().strip() if path.is_file() else ""
        found += [int(text)] if text.isdigit() else []
    own = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min([*found, *([own] if own != resource.RLIM_INFINITY else [])])


def look_through(fs: Any, paths: Iterable[str]) -> None:
    """Read files once, in little memory. Raises SourceError if they could not be held whole."""
    from tasks.data import csv_file
    from tasks.data.readers import SourceError, parquet, read_parquet
    from tasks.data.unpacking import BATCH_ROWS

    def batches() -> Iterator[pa.RecordBatch]:
        for path in paths:
            if csv_file.is_csv(path):
                yield from csv_file.read_texts(fs, path, lambda header: header, BATCH_ROWS)
            elif file := parquet(fs, path, path):
                yield from read_parquet(fs, path, file.groups(None), file.schema.names)

    for _ in held(batches(), ", ".join(paths), "take fewer of them", SourceError):
        pass


def held(
    batches: Iterable[pa.RecordBatch], whose: str, way_out: str, error: type[Exception]
) -> Iterator[pa.RecordBatch]:
    """Yield batches that will all be held at once; raise `error` once they are too many.

    Parameters
    ----------
    whose, way_out
        Begin and end the error's sentence.
    """
    most = limit()
    taken = 0
    for batch in batches:
        taken += unpacked_bytes(batch)
        if COPIES * taken > most:
            raise error(
                f"{whose}: the rows take more than {taken >> 20:,} MB, and {COPIES} times that is "
                f"more than the memory of this machine or container ({most >> 20:,} MB); "
                f"{way_out}, or give it more memory"
            )
        yield batch

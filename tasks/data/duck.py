"""DuckDB in little memory: it spills to a temporary folder, and says plainly what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks import scratch
from tasks.data.readers import SourceError
from tasks.disk import Unusable, disk_refusal

MEMORY = "256MB"


@contextmanager
def connection(what: str, **settings: Any) -> Iterator[Any]:
    """Yield a connection of at most 256 MB of memory; what it spills is gone at its end.

    Parameters
    ----------
    what
        What is compared in it: begins the sentence of an error.

    Raises
    ------
    SourceError
        If single values are so large that spilling does not help.
    tasks.disk.Unusable
        If what it spills does not fit on the disk of the temporary folder.
    """
    import duckdb

    with scratch.folder() as folder:
        given = {"memory_limit": MEMORY, "temp_directory": folder, "threads": 2, **settings}
        try:
            with duckdb.connect(config=given) as link:
                yield link
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            if folder in str(error) or "max_temp_directory_size" in str(error):
                known = disk_refusal(error)
                reason = known[0] if known else "what is spilled cannot be written"
                raise Unusable(
                    f"{what} cannot be compared: {reason} in the temporary folder {folder} "
                    "(TMPDIR); free some, then run this again"
                ) from None
            if isinstance(error, duckdb.IOException):
                raise
            raise SourceError(
                f"{what} cannot be compared in {MEMORY} of memory; write shorter keys and labels"
            ) from None

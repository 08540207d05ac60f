"""Bad rows in files of their own, each with its reason: a check writes them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from tasks import store

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.arrays import Ints


class Quarantine:
    """Parquet files in a folder: where a source's file lacks a column, one for each schema."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._writers: dict[pa.Schema, pq.ParquetWriter] = {}

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, rows: pa.Table) -> None:
        """Write bad rows, with their `_row` and `_reason`."""
        import pyarrow.parquet as pq

        schema = rows.schema.remove_metadata()
        if schema not in self._writers:
            writer = pq.ParquetWriter(self._file(len(self._writers)), schema)
            self._writers[schema] = self._open.enter_context(writer)
        self._writers[schema].write_table(rows.replace_schema_metadata())

    def put(self, address: str) -> tuple[str, ...]:
        """Close the files and put them in the store; return their addresses there."""
        self._open.close()
        kept = [f"{address}-{number}.parquet" for number in range(len(self._writers))]
        for number, file in enumerate(kept):
            store.put(file, self._file(number))
        return tuple(kept)

    def _file(self, number: int) -> str:
        return f"{self._folder}/{number}.parquet"


def positions_of(rows: pa.Table) -> Ints:
    """Return the positions of bad rows in the stream that was checked; shape (n,)."""
    return np.asarray(rows.column("_row").to_numpy())


def quarantined_rows(addresses: Iterable[str]) -> Ints:
    """Return the positions of the bad rows in the stream that was checked, rising; shape (n,)."""
    import pyarrow.parquet as pq

    found = [np.empty(0, dtype=np.int64)]
    for address in addresses:
        with store.reading(address) as file:
            found.append(positions_of(pq.read_table(file, columns=["_row"])))
    return np.sort(np.concatenate(found))

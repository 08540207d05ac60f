"""A Parquet file that ends the process which reads it."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def lethal(columns: dict[str, Any], nullable: str) -> bytes:
    """Return rows as Parquet whose footer calls a nullable column required.

    Its statistics then count levels that such a column does not have. Arrow throws where nothing
    catches it, and aborts.
    """
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    name = nullable.encode()
    optional, required = (
        bytes([0x25, repetition, 0x18, len(name)]) + name for repetition in (2, 0)
    )
    assert sink.getvalue().count(optional) == 1
    return sink.getvalue().replace(optional, required)

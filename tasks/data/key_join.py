"""A window's rows beside what another table has for their keys: in the rows' order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.data.label_source import joined_keys
from tasks.data.plain import plain_type
from tasks.data.readers import SourceChanged
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


def keep_keys(link: Any, batches: Iterator[pa.RecordBatch], name: str) -> pa.DataType | None:
    """Put the window's keys into the table `rows`; return their type, None if there are none."""
    key_type: pa.DataType | None = None
    first = 0
    for batch in batches:
        # A missing key is for validation to find; here it matches nothing.
        if name in batch.schema.names and batch.column(name).null_count < batch.num_rows:
            key_type = key_type or plain_type(batch.column(name).type)
            part = _keyed(batch, name, first, key_type)
            link.register("part", part)
            link.execute("create table if not exists rows as select * from part limit 0")
            link.execute("insert into rows select * from part")
        first += batch.num_rows
    return key_type


def _keyed(batch: pa.RecordBatch, name: str, first: int, key_type: pa.DataType) -> pa.RecordBatch:
    """Return the keys of a batch that are there, beside their rows' places in the window."""
    import pyarrow as pa

    there = name in batch.schema.names
    keys = joined_keys(batch.column(name) if there else pa.nulls(batch.num_rows), key_type)
    places = pa.array(np.arange(first, first + batch.num_rows))
    return pa.record_batch([places, keys], names=["place", "key"]).filter(keys.is_valid())


def found_for(
    spec: ModelSpec,
    window: Window,
    link: Any,
    batch: pa.RecordBatch,
    first: int,
    key_type: pa.DataType,
    table: str,
    columns: Sequence[str],
) -> pa.Table:
    """Return what a table has for each row of a batch that begins at the place `first`.

    It is null where the table has nothing. The table names the rows by `place`.

    Raises
    ------
    SourceChanged
        If the keys of the batch are not those that were kept.
    """
    import pyarrow as pa

    theirs = link.sql(
        "select * from (select place, key from rows where place >= $1 and place < $2) "
        f"left join (select place, {', '.join(columns)} from {table} "
        "where place >= $1 and place < $2) using (place) order by place",
        params=[first, first + batch.num_rows],
    ).to_arrow_table()
    ours = pa.Table.from_batches([_keyed(batch, spec.source.key, first, key_type)])
    if theirs.select(["place", "key"]).cast(ours.schema) != ours:
        raise SourceChanged(
            f"the rows of {window} in {spec.source} changed while they were read; run it again"
        )
    index = np.full(batch.num_rows, -1)
    index[ours.column("place").to_numpy() - first] = np.arange(ours.num_rows)
    return theirs.select(columns).combine_chunks().take(pa.array(index, mask=index < 0))

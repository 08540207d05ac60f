"""A window's rows joined to their labels on the key: in the rows' order, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.data import classes, duck
from tasks.data.key_join import found_for, keep_keys
from tasks.data.label_source import known_labels
from tasks.data.readers import SourceError
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


def join(
    spec: ModelSpec,
    window: Window,
    rows: Iterator[pa.RecordBatch],
    keys: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Yield a window's rows in their order, with a label column; null where no label is there.

    Labels of other rows are passed over, and equal labels of one key are one. DuckDB joins them
    in at most 256 MB and spills the rest to a temporary folder.

    Parameters
    ----------
    rows
        The window's rows without their label.
    keys
        The key column of the same rows, alone, in one type.

    Raises
    ------
    SourceError
        If the labels cannot be read, or two labels of one key differ.
    SourceChanged
        If the keys are not those of the rows.
    """
    # Keeping the order of insertion takes memory beyond the limit.
    what = f"the labels of {spec.label.source} and the keys of the window {window}"
    with duck.connection(what, preserve_insertion_order=False) as link:
        key_type = keep_keys(link, keys, spec.source.key)
        kind = None if key_type is None else _find(spec, window, link, key_type)
        first = 0
        for batch in rows:
            if key_type is not None and kind is not None:
                found = found_for(spec, window, link, batch, first, key_type, "found", ["label"])
                label = found.column("label").cast(kind).combine_chunks()
            else:
                label = _unknown(spec, batch.num_rows)
            yield batch.append_column(spec.label.column, label)
            first += batch.num_rows


def _unknown(spec: ModelSpec, count: int) -> pa.Array:
    import pyarrow as pa

    return pa.nulls(count, pa.float64() if classes.are_whole_numbers(spec) else pa.string())


def _find(spec: ModelSpec, window: Window, link: Any, key_type: pa.DataType) -> pa.DataType | None:
    """Put the labels of the window's keys into the table `found`.

    Returns
    -------
    The type of the labels: numbers if all are and the classes too; None if no label is known.
    """
    import duckdb
    import pyarrow as pa

    known = known_labels(spec, window, key_type)
    head = next(known, None)
    if head is None:
        return None
    errors: list[Exception] = []

    def stream() -> Iterator[pa.RecordBatch]:
        try:
            yield head
            yield from known
        except Exception as error:
            errors.append(error)
            raise

    link.register("known", pa.RecordBatchReader.from_batches(head.schema, stream()))
    try:
        # In two steps: a join and an aggregation at once take memory beyond the limit.
        link.execute("create table pairs as select place, label from rows join known using (key)")
    except duckdb.Error:
        if errors:  # DuckDB makes a text of its own of what the stream raised
            raise errors[0] from None
        raise
    link.execute(
        "create table found as select place, min(label) as label, max(label) as other "
        "from pairs group by place order by place"
    )
    link.execute("drop table pairs")
    query = "select count(distinct key) from rows join found using (place) where label <> other"
    ((count,),) = link.sql(query).fetchall()
    if count:
        raise SourceError(
            f"label.source {spec.label.source}: {count:,} key(s) of the window {window} have "
            "different labels; leave one label per key, then run the window again"
        )
    query = "select count(*) from found where try_cast(label as double) is null"
    ((texts,),) = link.sql(query).fetchall()
    return pa.float64() if classes.are_whole_numbers(spec) and not texts else pa.string()

"""A window's rows joined on the key to the scores that `scoring` wrote: in the rows' order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.data import duck
from tasks.data.key_join import found_for, keep_keys
from tasks.data.label_source import joined_keys
from tasks.data.readers import SourceError
from tasks.data.score_places import place_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


def join_scores(
    spec: ModelSpec,
    window: Window,
    rows: Iterator[pa.RecordBatch],
    keys: Iterator[pa.RecordBatch],
    wanted: tuple[str, ...],
) -> Iterator[pa.RecordBatch]:
    """Yield a window's rows with the wanted columns of their scores; null where none is.

    Parameters
    ----------
    rows
        The window's rows without these columns.
    keys
        The key column of the same rows, alone, in one type.

    Raises
    ------
    SourceError
        If the scores cannot be read, or name a key twice.
    SourceChanged
        If the keys are not those of the rows.
    """
    import pyarrow as pa

    promotion = place_of(spec).newest_scores(spec, window)
    names = [f"s{number}" for number in range(len(wanted))]
    kinds = [pa.float64() if name == spec.source.margin else pa.int32() for name in wanted]
    where = "" if promotion is None else place_of(spec).scores_named(spec, window, promotion)
    what = f"the scores of {where} and the keys of the window {window}"
    with duck.connection(what, preserve_insertion_order=False) as link:
        key_type = None if promotion is None else keep_keys(link, keys, spec.source.key)
        if promotion is not None and key_type is not None:
            _find(spec, window, link, promotion, key_type, wanted, names)
        first = 0
        for batch in rows:
            if key_type is None:
                columns = [pa.nulls(batch.num_rows, kind) for kind in kinds]
            else:
                found = found_for(spec, window, link, batch, first, key_type, "scored", names)
                columns = [found.column(name).combine_chunks() for name in names]
            for name, kind, column in zip(wanted, kinds, columns, strict=True):
                batch = batch.append_column(name, column.cast(kind))
            yield batch
            first += batch.num_rows


def _find(
    spec: ModelSpec,
    window: Window,
    link: Any,
    promotion: int,
    key_type: pa.DataType,
    wanted: tuple[str, ...],
    names: list[str],
) -> None:
    """Put the scores of the window's keys into the table `scored`, by the rows' places."""
    import duckdb
    import pyarrow as pa

    errors: list[Exception] = []
    place = place_of(spec)

    def known() -> Iterator[pa.RecordBatch]:
        for batch in place.read_scores(spec, window, promotion, [spec.source.key, *wanted]):
            key, *scores = batch.columns
            yield pa.record_batch([joined_keys(key, key_type), *scores], names=["key", *names])

    def stream() -> Iterator[pa.RecordBatch]:
        try:
            yield from [head]
            yield from batches
        except Exception as error:
            errors.append(error)
            raise

    batches = known()
    head = next(batches, None)
    if head is None:
        link.execute("create table scored (place bigint)")
        for name in names:
            link.execute(f"alter table scored add column {name} double")
        return
    link.register("known", pa.RecordBatchReader.from_batches(head.schema, stream()))
    try:
        link.execute(
            f"create table scored as select place, {', '.join(names)} from rows "
            "join known using (key) order by place"
        )
    except duckdb.Error:
        if errors:  # DuckDB makes a text of its own of what the stream raised
            raise errors[0] from None
        raise
    ((count,),) = link.sql("select count(*) - count(distinct place) from scored").fetchall()
    if count:
        raise SourceError(
            f"{place.scores_named(spec, window, promotion)}: {count:,} key(s) of the window "
            f"{window} have several scores; remove these scores, then score the window again (DAG "
            f"score.{spec.model})"
        )

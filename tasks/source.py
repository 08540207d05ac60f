"""A window's rows as a stream of Arrow batches, in a fixed order, with their labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks import label_join
from tasks.digest import Digest
from tasks.readers import BATCH_ROWS as BATCH_ROWS
from tasks.readers import Rows, files, read_file, read_table
from tasks.readers import SourceError as SourceError
from tasks.spec import ModelSpec
from tasks.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa


class NoRows(SourceError):
    """Nothing there yet for a window: no file, or none of its rows."""


def batches(
    spec: ModelSpec, window: Window, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a window's rows, in a fixed order, up to 32 768 at a time.

    A column that the source does not have is left out: validation names it. Rows without a time
    are part of the day whose file holds them, so that validation can quarantine them. Labels that
    have a source of their own are joined to their rows.

    Raises
    ------
    NoRows
        If no file or no row is there for the window.
    SourceError
        If a file or table cannot be read.
    """
    wanted = tuple(columns or spec.columns)
    label = spec.label.column
    if spec.label.source is None or label not in wanted:
        yield from _rows(spec, window, wanted)
        return
    rows = _rows(spec, window, tuple(name for name in wanted if name != label))
    for batch in label_join.join(spec, window, rows, _rows(spec, window, (spec.source.key,))):
        yield batch.select([name for name in wanted if name in batch.schema.names])


def digest_of(spec: ModelSpec, window: Window) -> str:
    """Return the digest of a window's rows as they are now."""
    digest = Digest()
    try:
        for _ in digest.tap(batches(spec, window)):
            pass
    except SourceError as error:
        digest = Digest.of(str(error))
    return str(digest)


def _rows(spec: ModelSpec, window: Window, wanted: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    read = _from_table if spec.source.path is None else _from_files
    empty = True
    for batch in read(spec, window, wanted):
        if batch.num_rows:
            empty = False
            yield batch
    if empty:
        raise NoRows(f"{spec.source} holds no row for the window {window}; land it, run again")


def _from_files(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    last = window.end - timedelta(microseconds=1)
    for name in files(spec.source, "source", window.start, last, spec.window.timezone):

        def plan(schema: pa.Schema, name: str = name) -> tuple[list[str], Rows]:
            there = [c for c in wanted if c in schema.names]
            return there, _rows_of(spec, window, schema, name)

        yield from read_file(name, window, lambda schema: _roomy(spec, schema), plan)


def _roomy(spec: ModelSpec, schema: pa.Schema) -> pa.Schema:
    """Return types that hold the whole CSV: Arrow infers them from the first megabyte only."""
    import pyarrow as pa

    whole = all(isinstance(name, int) for name in spec.label.classes)
    numbers = {*spec.features.numeric, spec.source.margin, spec.source.weight}
    for index, field in enumerate(schema):
        empty = pa.types.is_null(field.type)
        if field.name in numbers and (empty or pa.types.is_integer(field.type)):
            schema = schema.set(index, field.with_type(pa.float64()))
        elif field.name == spec.label.column and empty:
            schema = schema.set(index, field.with_type(pa.int64() if whole else pa.string()))
        elif field.name in (*spec.features.categorical, *spec.features.text) and empty:
            schema = schema.set(index, field.with_type(pa.string()))
    return schema


def _rows_of(spec: ModelSpec, window: Window, schema: pa.Schema, name: str) -> Rows:
    """Return which rows are a window's, by the time column in its own type."""
    import pyarrow as pa

    time = spec.source.time
    if time not in schema.names:
        raise SourceError(f"{name} has no column {time!r} (source.time); it has: {schema.names}")
    kind = schema.field(time).type
    if not pa.types.is_timestamp(kind):
        raise SourceError(
            f"{name}: column {time!r} (source.time) is {kind}, not a timestamp; write it as one"
        )
    start, end = (pa.scalar(_in_type(moment, kind), kind) for moment in (window.start, window.end))
    return Rows(time, start, end, missing="{date}" in (spec.source.path or ""))


def _in_type(moment: datetime, kind: pa.TimestampType) -> datetime:
    # A time without zone is taken as UTC.
    return moment if kind.tz else moment.replace(tzinfo=None)


def _from_table(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    source = spec.source

    def plan(table: sa.Table) -> sa.Select[Any]:
        import sqlalchemy as sa

        if source.time not in table.c:
            raise SourceError(f"{source} has no column {source.time!r} (source.time)")
        time = table.c[source.time]
        if not isinstance(time.type, sa.DateTime):
            raise SourceError(
                f"{source}: column {time.name!r} (source.time) is {time.type}, "
                "not a timestamp; make it one"
            )
        there = [table.c[name] for name in wanted if name in table.c]
        aware = getattr(time.type, "timezone", False)
        start, end = (m if aware else m.replace(tzinfo=None) for m in (window.start, window.end))
        order = [time, *(c for c in [table.c.get(source.key)] if c is not None)]
        return sa.select(*there).where(time >= start, time < end).order_by(*order)

    return read_table(source, "source", plan)

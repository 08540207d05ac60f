"""Read a window's rows as a stream of Arrow batches: files through fsspec, or a SQL table."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tasks.spec import ModelSpec
from tasks.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 131_072


class SourceError(Exception):
    """A source that cannot be read: names the file or table, and the way out."""


class NoRows(SourceError):
    """Nothing there yet for a window: no file, or none of its rows."""


class Digest:
    """SHA-256 over the rows of a stream, fed batch by batch."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    @classmethod
    def of(cls, problem: str) -> Digest:
        """Return the digest of rows that could not be read, which is that of the reason."""
        digest = cls()
        digest._sha.update(problem.encode())
        return digest

    def tap(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches unchanged, digesting each on its way."""
        for batch in batches:
            self._sha.update(batch.serialize())
            yield batch

    def __str__(self) -> str:
        return self._sha.hexdigest()[:16]


def batches(
    spec: ModelSpec, window: Window, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a window's rows, in a fixed order, up to 131 072 at a time.

    A column that the source does not have is left out: validation names it. Rows without a time
    are part of the day whose file holds them, so that validation can quarantine them.

    Raises
    ------
    NoRows
        If no file or no row is there for the window.
    SourceError
        If a file or table cannot be read.
    """
    wanted = tuple(columns or spec.columns)
    if spec.source.path is not None:
        stream = _from_files(spec, window, wanted)
    else:
        stream = _from_table(spec, window, wanted)
    empty = True
    for batch in stream:
        if batch.num_rows:
            empty = False
            yield batch
    if empty:
        raise NoRows(f"{_where(spec)} holds no row for the window {window}; land it, run again")


def _where(spec: ModelSpec) -> str:
    return spec.source.path or f"table {spec.source.table}"


def files(spec: ModelSpec, window: Window) -> list[str]:
    """Return the URLs of the files that may hold a window's rows, in order of day and name."""
    import fsspec

    assert spec.source.path is not None
    found: dict[str, None] = {}
    for pattern in _patterns(spec, window):
        try:
            fs, path = fsspec.core.url_to_fs(pattern)
        except (ImportError, ValueError) as error:
            raise SourceError(
                f"source.path {pattern}: {error}; add it to requirements.in"
            ) from None
        matches = sorted(fs.glob(path)) if fs.exists(fs._parent(path)) or "*" in path else []
        found.update(dict.fromkeys(fs.unstrip_protocol(str(match)) for match in matches))
    return list(found)


def _patterns(spec: ModelSpec, window: Window) -> Iterator[str]:
    path = spec.source.path or ""
    if "{date}" not in path:
        yield path
        return
    zone = ZoneInfo(spec.window.timezone)
    day = window.start.astimezone(zone).date()
    last = (window.end - timedelta(microseconds=1)).astimezone(zone).date()
    while day <= last:
        yield path.replace("{date}", day.isoformat())
        day += timedelta(days=1)


def _from_files(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    import fsspec
    import pyarrow as pa
    import pyarrow.dataset as ds

    for name in files(spec, window):
        fs, path = fsspec.core.url_to_fs(name)
        kind = "csv" if path.endswith((".csv", ".csv.gz")) else "parquet"
        try:
            data = ds.dataset(path, format=kind, filesystem=fs)
            if kind == "csv":
                roomy = _roomy(spec, data.schema)
                data = ds.dataset(path, schema=roomy, format=kind, filesystem=fs)
            there = [c for c in wanted if c in data.schema.names]
            rows = _rows_of(spec, window, data.schema, name)
            yield from data.to_batches(columns=there, filter=rows, batch_size=BATCH_ROWS)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{name} cannot be read as {kind} ({_without_content(error)}); "
                f"write it whole, then run the window {window} again"
            ) from None


def _without_content(error: Exception) -> str:
    """Return an error's type and place; Arrow's own text quotes the row."""
    places = re.findall(r"(?:column|Row) #\d+", str(error))
    return ", ".join([type(error).__name__, *places])


def _roomy(spec: ModelSpec, schema: pa.Schema) -> pa.Schema:
    """Return types that hold the whole CSV: Arrow infers them from the first megabyte only."""
    import pyarrow as pa

    whole = all(isinstance(name, int) for name in spec.label.classes)
    numbers = {*spec.features.numeric, spec.source.margin}
    for index, field in enumerate(schema):
        empty = pa.types.is_null(field.type)
        if field.name in numbers and (empty or pa.types.is_integer(field.type)):
            schema = schema.set(index, field.with_type(pa.float64()))
        elif field.name == spec.label.column and empty:
            schema = schema.set(index, field.with_type(pa.int64() if whole else pa.string()))
        elif field.name in (*spec.features.categorical, *spec.features.text) and empty:
            schema = schema.set(index, field.with_type(pa.string()))
    return schema


def _rows_of(spec: ModelSpec, window: Window, schema: pa.Schema, name: str) -> Any:
    """Return the filter for a window's rows, in the time column's own type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    time = spec.source.time
    if time not in schema.names:
        raise SourceError(f"{name} has no column {time!r} (source.time); it has: {schema.names}")
    kind = schema.field(time).type
    if not pa.types.is_timestamp(kind):
        raise SourceError(
            f"{name}: column {time!r} (source.time) is {kind}, not a timestamp; write it as one"
        )
    column = pc.field(time)
    start, end = (pa.scalar(_in_type(moment, kind), kind) for moment in (window.start, window.end))
    inside = (column >= start) & (column < end)
    return inside | column.is_null() if "{date}" in (spec.source.path or "") else inside


def _in_type(moment: datetime, kind: pa.TimestampType) -> datetime:
    # A time without zone is taken as UTC.
    return moment if kind.tz else moment.replace(tzinfo=None)


def _from_table(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import sqlalchemy as sa

    variable = spec.source.database or ""
    url = os.environ.get(variable)
    if not url:
        raise SourceError(f"source.database: the environment variable {variable} is not set")
    try:
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise SourceError(f"source.database: {variable} cannot be used: {error}") from None
    schema_name, _, table_name = (spec.source.table or "").rpartition(".")
    try:
        table = sa.Table(
            table_name, sa.MetaData(), schema=schema_name or None, autoload_with=engine
        )
        if spec.source.time not in table.c:
            raise SourceError(f"{_where(spec)} has no column {spec.source.time!r} (source.time)")
        time = table.c[spec.source.time]
        if not isinstance(time.type, sa.DateTime):
            raise SourceError(
                f"{_where(spec)}: column {time.name!r} (source.time) is {time.type}, "
                "not a timestamp; make it one"
            )
        there = [table.c[name] for name in wanted if name in table.c]
        aware = getattr(time.type, "timezone", False)
        start, end = (m if aware else m.replace(tzinfo=None) for m in (window.start, window.end))
        order = [time, *(c for c in [table.c.get(spec.source.key)] if c is not None)]
        query = sa.select(*there).where(time >= start, time < end).order_by(*order)
        with engine.connect().execution_options(stream_results=True, yield_per=16_384) as link:
            result = link.execute(query)
            names = list(result.keys())
            for part in result.partitions():
                columns = [_column(list(values)) for values in zip(*part, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=names)
    except sa.exc.NoSuchTableError:
        raise SourceError(
            f"{_where(spec)} is not in the database of {variable}; correct source.table"
        ) from None
    except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
        reason = str(error.orig).splitlines()[0][:200]
        raise SourceError(f"{_where(spec)} cannot be read: {reason}") from None
    except (sa.exc.SQLAlchemyError, pa.ArrowException) as error:
        raise SourceError(
            f"{_where(spec)} cannot be read ({_without_content(error)}); a column may mix types"
        ) from None
    finally:
        engine.dispose()


def _column(values: list[Any]) -> pa.Array:
    import decimal

    import pyarrow as pa

    if any(isinstance(v, decimal.Decimal) for v in values):
        values = [None if v is None else float(v) for v in values]
    column = pa.array(values)
    return column.cast(pa.float64()) if pa.types.is_null(column.type) else column

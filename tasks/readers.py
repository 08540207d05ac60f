"""Read files through fsspec, or a SQL table, as a stream of Arrow batches."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tasks.spec import Place
from tasks.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import sqlalchemy as sa

BATCH_ROWS = 32_768
_PAGE_BYTES = 1 << 18


class SourceError(Exception):
    """A source that cannot be read: names the file or table, and the way out."""


class SourceChanged(SourceError):
    """The rows differ from those that were read before."""


@dataclass(frozen=True)
class Rows:
    """Which rows of a file are wanted: those with `column` in [start, end), or also without it."""

    column: str
    start: pa.Scalar
    end: pa.Scalar
    missing: bool

    @property
    def test(self) -> pc.Expression:
        import pyarrow.compute as pc

        column = pc.field(self.column)
        inside = (column >= self.start) & (column < self.end)
        return inside | column.is_null() if self.missing else inside

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return those rows of a batch."""
        import pyarrow.compute as pc

        column = batch.column(self.column)
        after, before = pc.greater_equal(column, self.start), pc.less(column, self.end)
        inside = pc.fill_null(pc.and_(after, before), self.missing)
        return batch if inside.true_count == batch.num_rows else batch.filter(inside)


def files(place: Place, option: str, start: datetime, last: datetime, timezone: str) -> list[str]:
    """Return the URLs of a place's files, in order of day and name.

    `{date}` stands for each local day from that of `start` to that of `last`; `option` is where
    the spec names the place.
    """
    import fsspec

    found: dict[str, None] = {}
    for pattern in _patterns(place.path or "", start, last, ZoneInfo(timezone)):
        try:
            fs, path = fsspec.core.url_to_fs(pattern)
        except (ImportError, ValueError) as error:
            raise SourceError(
                f"{option}.path {pattern}: {error}; add it to requirements.in"
            ) from None
        matches = sorted(fs.glob(path)) if fs.exists(fs._parent(path)) or "*" in path else []
        found.update(dict.fromkeys(fs.unstrip_protocol(str(match)) for match in matches))
    return list(found)


def _patterns(path: str, start: datetime, last: datetime, zone: ZoneInfo) -> Iterator[str]:
    if "{date}" not in path:
        yield path
        return
    day = start.astimezone(zone).date()
    while day <= last.astimezone(zone).date():
        yield path.replace("{date}", day.isoformat())
        day += timedelta(days=1)


def read_file(
    name: str,
    window: Window,
    types: Callable[[pa.Schema], pa.Schema],
    plan: Callable[[pa.Schema], tuple[list[str], Rows | None]],
) -> Iterator[pa.RecordBatch]:
    """Yield what a window needs of one file, in the file's order.

    Parameters
    ----------
    types
        Makes of the types that Arrow inferred from a CSV's first megabyte those of the whole.
    plan
        Says from the schema which columns to read, and which rows; None for all.

    Raises
    ------
    SourceError
        If the file cannot be read.
    """
    import fsspec
    import pyarrow as pa
    import pyarrow.dataset as ds

    fs, path = fsspec.core.url_to_fs(name)
    kind = "csv" if path.endswith((".csv", ".csv.gz")) else "parquet"
    try:
        data = ds.dataset(path, format=kind, filesystem=fs)
        if kind == "parquet":
            yield from _parquet(data, fs, path, *plan(data.schema))
            return
        data = ds.dataset(path, schema=types(data.schema), format=kind, filesystem=fs)
        columns, rows = plan(data.schema)
        test = None if rows is None else rows.test
        yield from data.to_batches(columns=columns, filter=test, batch_size=BATCH_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{name} cannot be read as {kind} ({_without_content(error)}); "
            f"write it whole, then run the window {window} again"
        ) from None


def _parquet(
    data: ds.Dataset, fs: Any, path: str, columns: list[str], rows: Rows | None
) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file's rows page by page; a dataset's scan holds several row groups."""
    import pyarrow.parquet as pq

    (fragment,) = data.get_fragments()
    # Row groups whose statistics say that none of their rows is wanted are not read.
    parts = fragment.split_by_row_group(None if rows is None else rows.test)
    groups = [group.id for part in parts for group in part.row_groups]
    wanted = columns if rows is None else list(dict.fromkeys([*columns, rows.column]))
    # Over a network few large requests are faster than many small ones; on a disk they only hold
    # a whole row group in memory.
    near = "file" in fs.protocol
    with pq.ParquetFile(
        path, filesystem=fs, pre_buffer=not near, buffer_size=_PAGE_BYTES if near else 0
    ) as file:
        for batch in file.iter_batches(
            BATCH_ROWS, row_groups=groups, columns=wanted, use_threads=False
        ):
            yield (batch if rows is None else rows.of(batch)).select(columns)


def _without_content(error: Exception) -> str:
    """Return an error's type and place; Arrow's own text quotes the row."""
    places = re.findall(r"(?:column|Row) #\d+", str(error))
    return ", ".join([type(error).__name__, *places])


def read_table(
    place: Place, option: str, plan: Callable[[sa.Table], sa.Select[Any]]
) -> Iterator[pa.RecordBatch]:
    """Yield what the query that `plan` makes of a SQL table finds there.

    `option` is where the spec names the table.

    Raises
    ------
    SourceError
        If the table cannot be read.
    """
    import pyarrow as pa
    import sqlalchemy as sa

    variable = place.database or ""
    url = os.environ.get(variable)
    if not url:
        raise SourceError(f"{option}.database: the environment variable {variable} is not set")
    try:
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise SourceError(f"{option}.database: {variable} cannot be used: {error}") from None
    schema_name, _, table_name = (place.table or "").rpartition(".")
    try:
        table = sa.Table(
            table_name, sa.MetaData(), schema=schema_name or None, autoload_with=engine
        )
        query = plan(table)
        with engine.connect().execution_options(stream_results=True, yield_per=16_384) as link:
            result = link.execute(query)
            names = list(result.keys())
            for part in result.partitions():
                columns = [_column(list(values)) for values in zip(*part, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=names)
    except sa.exc.NoSuchTableError:
        raise SourceError(
            f"{place} is not in the database of {variable}; correct {option}.table"
        ) from None
    except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
        reason = str(error.orig).splitlines()[0][:200]
        raise SourceError(f"{place} cannot be read: {reason}") from None
    except (sa.exc.SQLAlchemyError, pa.ArrowException) as error:
        raise SourceError(
            f"{place} cannot be read ({_without_content(error)}); a column may mix types"
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

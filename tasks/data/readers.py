"""Read files through fsspec as a stream of Arrow batches; the errors of all reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tasks.data import apart
from tasks.data.unpacking import Groups, TooLarge, bounded, check_footer
from tasks.errors import Retryable
from tasks.spec.source_options import Place

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds


_PAGE_BYTES = 1 << 18
_LISTED = 50


class SourceError(Retryable):
    """A source that cannot be read: names the file or table, and the way out."""


class SourceChanged(SourceError):
    """The rows differ from those that were read before."""


def files(
    place: Place, option: str, start: datetime, last: datetime, timezone: str
) -> dict[str, date | None]:
    """Return the URLs of a place's files, in order of day and name, and the day of each.

    `{date}` stands for each local day from that of `start` to that of `last`; without it files
    have no day. `option` is where the spec names the place.
    """
    import fsspec

    found: dict[str, date | None] = {}
    for pattern, day in _patterns(place.path or "", start, last, ZoneInfo(timezone)):
        try:
            fs, path = fsspec.core.url_to_fs(pattern)
        except (ImportError, ValueError) as error:
            raise SourceError(
                f"{option}.path {pattern}: {error}; add it to requirements.in"
            ) from None
        matches = sorted(fs.glob(path)) if fs.exists(fs._parent(path)) or "*" in path else []
        for match in matches:
            found.setdefault(fs.unstrip_protocol(str(match)), day)
    return found


def _patterns(
    path: str, start: datetime, last: datetime, zone: ZoneInfo
) -> Iterator[tuple[str, date | None]]:
    if "{date}" not in path:
        yield path, None
        return
    day = start.astimezone(zone).date()
    while day <= last.astimezone(zone).date():
        yield path.replace("{date}", day.isoformat()), day
        day += timedelta(days=1)


@dataclass(frozen=True)
class SourcePart:
    """Some of a window's rows: the types of the wanted columns, and what reads those of its rows.

    A table is a single part, and tells its types with its rows.
    """

    schema: pa.Schema | None
    read: Callable[[], Iterator[pa.RecordBatch]]


def require_columns(columns: list[str], there: list[str], where: str) -> None:
    """Raise SourceError unless a source of labels has their key and their column."""
    for option, name in zip(("key", "column"), columns, strict=True):
        if name not in there:
            raise SourceError(
                f"{where} has no column {name!r} (label.source.{option}); it has: "
                f"{first_columns(there)}"
            )


@dataclass(frozen=True)
class Parquet:
    """A Parquet file that has rows: its schema, and the row groups that may hold what is wanted."""

    name: str
    schema: pa.Schema
    _fragment: ds.ParquetFileFragment

    def groups(self, test: pc.Expression | None) -> list[int]:
        """Return the row groups that may hold a row that passes a test, by their statistics."""
        parts = self._fragment.split_by_row_group(test)
        return [group.id for part in parts for group in part.row_groups]

    def look_through(self) -> None:
        """Read all that the footer says: of each column in each row group, and its statistics."""
        metadata = self._fragment.metadata
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for index in range(group.num_columns):
                group.column(index).to_dict()
        self.groups(None)


def parquet(fs: Any, path: str, name: str) -> Parquet | None:
    """Return what a Parquet file says of itself; None if it has no row."""
    import pyarrow.dataset as ds

    apart.first("footer", fs, path)
    with within_bounds(name), fs.open(path, "rb", block_size=_PAGE_BYTES) as file:
        check_footer(file, fs.size(path) or 0)
    data = ds.dataset(path, format="parquet", filesystem=fs)
    (fragment,) = data.get_fragments()
    _check_names(data.schema, name)
    if not fragment.metadata.num_rows:
        return None
    return Parquet(name, _without_views(data.schema), fragment)


def _check_names(schema: pa.Schema, name: str) -> None:
    """Raise SourceError if a column, a field in one or a zone has a name that is no text."""
    try:
        schema.to_string(show_field_metadata=False, show_schema_metadata=False)
        schema.names  # noqa: B018 (they are decoded here)
    except UnicodeDecodeError:
        raise SourceError(
            f"{name}: the name of a column or of a zone is no UTF-8; write it as UTF-8, then run "
            "this again"
        ) from None


def _without_views(schema: pa.Schema) -> pa.Schema:
    """Return a schema with texts for views of them, which Arrow reads and cannot filter."""
    import pyarrow as pa

    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    for place, field in enumerate(schema):
        if field.type in plain:
            schema = schema.set(place, field.with_type(plain[field.type]))
    return schema


def read_parquet(
    fs: Any, path: str, groups: list[int], columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield row groups page by page, in batches of little memory.

    A dataset's scan holds several row groups. Raises SourceError if rows unpack to too much.
    """
    apart.first("pages", fs, path, groups, columns)
    with within_bounds(fs.unstrip_protocol(path)):
        yield from bounded(_decoded(fs, path, groups, columns), fs.size(path) or 0)


def _decoded(fs: Any, path: str, groups: list[int], columns: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    # Over a network few large requests are faster than many small ones; on a disk they only hold
    # a whole row group in memory.
    near = "file" in fs.protocol
    how: dict[str, Any] = {
        "filesystem": fs,
        "pre_buffer": not near,
        "buffer_size": _PAGE_BYTES if near else 0,
    }

    def dictionary_of(metadata: pq.FileMetaData, column: str) -> pq.ParquetFile:
        return pq.ParquetFile(path, metadata=metadata, read_dictionary=[column], **how)

    with pq.ParquetFile(path, **how) as file:
        sizes = Groups(file, columns, dictionary_of)
        for group in groups:
            rows = sizes.rows_at_once(group)
            for batch in file.iter_batches(
                rows, row_groups=[group], columns=columns, use_threads=False
            ):
                # What a broken or hostile file says of texts and dictionaries is not yet believed.
                batch.validate(full=True)
                schema = batch.schema
                plain = _without_views(schema)
                yield batch if plain is schema else batch.cast(plain)


@contextmanager
def within_bounds(name: str) -> Iterator[None]:
    """Make of rows that unpack to too much an error that names their file or table."""
    try:
        yield
    except TooLarge as error:
        raise SourceError(f"{name}: {error}, then run this again") from None


def first_columns(names: list[str]) -> str:
    """Return the first of a file's columns for an error; a file may have very many."""
    more = len(names) - _LISTED
    return f"{names[:_LISTED]}" + (f" and {more:,} more" if more > 0 else "")


def unreadable(name: str, kind: str, error: Exception, again: str) -> SourceError:
    """Return the error for a file that cannot be read; `again` says what to do once it can."""
    from tasks.data import csv_file

    whole = f" ({_without_content(error)}); write it whole"
    said = f": {csv_file.why(error)}" if kind == "csv" else whole
    return SourceError(f"{name} cannot be read as {kind}{said}, then {again}")


def _without_content(error: Exception) -> str:
    """Return an error's type and place; Arrow's own text quotes the row."""
    places = re.findall(r"(?:column|Row) #\d+", str(error))
    return ", ".join([type(error).__name__, *places])

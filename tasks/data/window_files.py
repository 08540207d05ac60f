"""The rows of a window from files, each type of file read for what the spec says of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tasks.bounds import shifted
from tasks.data import csv_file
from tasks.data.columns import role_of
from tasks.data.outside import Outside, TimeSpan, at_edge, span_of
from tasks.data.readers import (
    BATCH_ROWS,
    Parquet,
    SourceError,
    SourcePart,
    files,
    listed,
    parquet,
    read_parquet,
    require,
    unreadable,
)
from tasks.data.times import NoZone, from_texts, instants, is_time, zone_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = timedelta(days=1)  # more than clocks differ between any two zones, or jump in one


def parts(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None
) -> list[SourcePart]:
    """Return the files that may hold rows of a window, in the order of day and name.

    Each is opened to learn its types; what it holds is read later.
    """
    last = window.end - timedelta(microseconds=1)
    names = files(spec.source, "source", window.start, last, spec.window.timezone)
    return parts_of(names, spec, window, wanted, outside)


def parts_of(
    names: Mapping[str, date | None],
    spec: ModelSpec,
    window: Window,
    wanted: tuple[str, ...],
    outside: Outside | None,
) -> list[SourcePart]:
    """Return those of the named files that may hold rows of a window, in their order.

    A file is named by its URL; beside it stands its day, if it has one.
    """
    import fsspec

    found = []
    for name, day in names.items():
        fs, path = fsspec.core.url_to_fs(name)
        span = span_of(spec.window, day)
        reader = _File(spec, window, wanted, name, span, outside, fs, path)
        part = reader.csv() if csv_file.is_csv(path) else reader.parquet()
        found += [part] if part is not None else []
    return found


def labels(
    spec: ModelSpec, window: Window, columns: list[str]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield batches of key and label, and what file each is from."""
    place = spec.label.source
    assert place is not None
    last = shifted(window.end, spec.label.delay)
    for name in files(place, "label.source", window.start, last, spec.window.timezone):
        for batch in labels_of(window, name, columns):
            yield name, batch


def labels_of(window: Window, name: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches of key and label of one file."""
    import fsspec
    import pyarrow as pa

    fs, path = fsspec.core.url_to_fs(name)
    kind = "csv" if csv_file.is_csv(path) else "parquet"

    def wanted(there: list[str]) -> list[str]:
        require(columns, there, name)
        return columns

    try:
        if kind == "csv":
            yield from csv_file.read_texts(fs, path, wanted, BATCH_ROWS)
        elif (file := parquet(fs, path, name)) is not None:
            wanted(file.schema.names)
            for batch in read_parquet(fs, path, file.groups(None), columns):
                yield batch.select(columns)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(name, kind, error, f"run the window {window} again") from None


@dataclass(frozen=True)
class _File:
    spec: ModelSpec
    window: Window
    wanted: tuple[str, ...]
    name: str
    span: TimeSpan
    outside: Outside | None
    fs: Any
    path: str

    def parquet(self) -> SourcePart | None:
        import pyarrow as pa

        try:
            file = parquet(self.fs, self.path, self.name)
            if file is None:
                return None
            time = self._time_type(file.schema)
            self._count(file, time)
            groups = file.groups(self._test(time))
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable("parquet", error) from None
        if not groups:
            return None
        there = [name for name in self.wanted if name in file.schema.names]
        return SourcePart(_part(file.schema, there), lambda: self._parquet(groups, there))

    def _parquet(self, groups: list[int], there: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        columns = list(dict.fromkeys([*there, self.spec.source.time]))
        try:
            for batch in read_parquet(self.fs, self.path, groups, columns):
                yield self._of_window(batch).select(there)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable("parquet", error) from None

    def csv(self) -> SourcePart | None:
        import pyarrow as pa

        if self.fs.size(self.path) == 0:
            return None
        types = {"time": pa.timestamp("us", "UTC"), "number": pa.float64()}
        fields = [(name, types.get(role_of(self.spec, name), pa.string())) for name in self.wanted]
        return SourcePart(pa.schema(fields), self._csv)

    def _csv(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        edges = at_edge(self.spec.window, self.window)
        time = self.spec.source.time
        try:
            texts = csv_file.read_texts(self.fs, self.path, self._columns, BATCH_ROWS)
            for number, batch in enumerate(texts):
                read = self._typed(batch, first=number == 0)
                if self._counts:
                    assert self.outside is not None
                    self.outside.see(read.column(time), self.span, self.name, edges)
                there = [name for name in self.wanted if name in read.schema.names]
                yield self._of_window(read).select(there)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable("csv", error) from None

    def _columns(self, header: list[str]) -> list[str]:
        time = self.spec.source.time
        if time not in header:
            raise SourceError(
                f"{self.name} has no column {time!r} (source.time); it has: {listed(header)}"
            )
        there = [name for name in dict.fromkeys([*self.wanted, time]) if name in header]
        for name in there:
            if header.count(name) > 1:
                raise SourceError(f"{self.name} has two columns {name!r}; rename one of them")
        return there

    def _typed(self, batch: pa.RecordBatch, first: bool) -> pa.RecordBatch:
        """Return a CSV's batch of texts with each column as what the spec says it is."""
        import pyarrow as pa

        columns = []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == self.spec.source.time:
                columns.append(self._times(column, first))
                continue
            role = role_of(self.spec, name)
            if role == "time":
                values, _ = from_texts(column, zone_of(self.spec) or "UTC")
            elif role == "number":
                values, wrong = csv_file.numbers(column)
                if self._counts and self.outside is not None:
                    self.outside.add_no_numbers(name, self.name, wrong)
            elif name in self.spec.features.categorical:
                values, _ = csv_file.words(column)
            else:
                values = column
            columns.append(values)
        return pa.record_batch(columns, names=batch.schema.names)

    def _times(self, texts: pa.Array, first: bool) -> pa.Array:
        try:
            found, wrong = from_texts(texts, zone_of(self.spec))
        except NoZone:
            raise self._no_zone() from None
        if first and wrong and found.null_count == len(found):
            raise SourceError(
                f"{self.name}: none of its first times ({self.spec.source.time!r}, source.time) "
                "can be read as one; write them as 2026-01-31T00:00:00"
            )
        if self._counts and self.outside is not None and self.span.owner is None:
            self.outside.add("unreadable", self.name, wrong)
            self.outside.add("timeless", self.name, -wrong)  # counted as such with the others
        return found

    @property
    def _counts(self) -> bool:
        """Return whether what lies outside in this file is told in this window."""
        return self.outside is not None and self.span.owned(self.window)

    def _time_type(self, schema: pa.Schema) -> pa.DataType:
        import pyarrow as pa

        time = self.spec.source.time
        if time not in schema.names:
            raise SourceError(
                f"{self.name} has no column {time!r} (source.time); it has: {listed(schema.names)}"
            )
        kind = schema.field(time).type
        if not (is_time(kind) or pa.types.is_null(kind)):
            raise SourceError(
                f"{self.name}: column {time!r} (source.time) is {kind}, not a timestamp; write it "
                "as one"
            )
        naive = not pa.types.is_null(kind) and getattr(kind, "tz", None) is None
        if naive and zone_of(self.spec) is None:
            raise self._no_zone()
        return kind

    def _no_zone(self) -> SourceError:
        return SourceError(no_zone(self.spec, self.name))

    def _unreadable(self, kind: str, error: Exception) -> SourceError:
        return unreadable(self.name, kind, error, f"run the window {self.window} again")

    def _test(self, kind: pa.DataType) -> Any:
        """Return a test that no row of the window fails, for the statistics of row groups."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = pc.field(self.spec.source.time)
        if pa.types.is_null(kind):
            return None
        start, end = (_bound(self.spec, kind, moment, wide) for moment, wide in self._range(kind))
        inside = (column >= start) & (column < end)
        return inside | column.is_null() if self._holds_timeless else inside

    def _range(self, kind: pa.DataType) -> list[tuple[Any, timedelta]]:
        wide = timedelta(0) if _exact(self.spec, kind) else _DAY
        return [(self.window.start, -wide), (self.window.end, wide)]

    def _count(self, file: Parquet, kind: pa.DataType) -> None:
        """Count the rows that no window holds; where statistics rule them out nothing is read."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._counts or self.outside is None:
            return
        edges = at_edge(self.spec.window, self.window)
        dated = self.span.owner is not None
        name = self.spec.source.time
        test = None
        if not pa.types.is_null(kind):
            column = pc.field(name)
            wide = timedelta(0) if _exact(self.spec, kind) else _DAY
            test = column.is_null()
            if dated or edges[0]:
                test |= column < _bound(self.spec, kind, self.span.start, wide)
            if (dated or edges[1]) and self.span.end.year < 9999:
                test |= column >= _bound(self.spec, kind, self.span.end, -wide)
        for batch in read_parquet(self.fs, self.path, file.groups(test), [name]):
            times = self._moments(batch.column(0))
            self.outside.see(times, self.span, self.name, edges)

    def _moments(self, column: Any) -> Any:
        import pyarrow as pa

        if pa.types.is_null(column.type):
            return column.cast(pa.timestamp("us", "UTC"))
        return instants(column, zone_of(self.spec))

    @property
    def _holds_timeless(self) -> bool:
        """Return whether the file's rows without a time are of this window."""
        owner = self.span.owner
        return owner is not None and self.span.owned(self.window)

    def _of_window(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of the window; where local times are held, with instants for them."""
        import pyarrow as pa

        name = self.spec.source.time
        place = batch.schema.get_field_index(name)
        column = batch.column(place)
        if pa.types.is_null(column.type) or not _exact(self.spec, column.type):
            column = self._moments(column)
            batch = batch.set_column(place, name, column)
        return of_window(batch, column, self.window, missing=self._holds_timeless)


def no_zone(spec: ModelSpec, where: str) -> str:
    """Return the sentence on times of which nothing says what zone they are in."""
    return (
        f"{where}: times in {spec.source.time!r} (source.time) have no zone, and days begin in "
        f"{spec.window.timezone} (window.timezone); say which zone these times are in: set "
        f"source.timezone to {spec.window.timezone}, UTC or another"
    )


def of_window(batch: pa.RecordBatch, times: Any, window: Window, missing: bool) -> pa.RecordBatch:
    """Return the rows with a time in a window, or also those without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = times.type
    start, end = (
        pa.scalar(moment if kind.tz else moment.replace(tzinfo=None), kind)
        for moment in (window.start, window.end)
    )
    inside = pc.and_(pc.greater_equal(times, start), pc.less(times, end))
    inside = pc.fill_null(inside, missing)
    return batch if inside.true_count == batch.num_rows else batch.filter(inside)


def _exact(spec: ModelSpec, kind: pa.DataType) -> bool:
    """Return whether times of a type are instants as they stand."""
    import pyarrow as pa

    if not pa.types.is_timestamp(kind):
        return False
    return kind.tz is not None or zone_of(spec) == "UTC"


def _bound(spec: ModelSpec, kind: pa.DataType, moment: Any, wide: timedelta) -> pa.Scalar:
    import pyarrow as pa

    moment = moment + wide
    if pa.types.is_date(kind):
        return pa.scalar(moment.date(), kind)
    return pa.scalar(moment if kind.tz else moment.replace(tzinfo=None), kind)


def _part(schema: pa.Schema, there: list[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in there])

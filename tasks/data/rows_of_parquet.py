"""The rows of a window from a Parquet file: only the row groups and columns that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tasks.data.outside import at_edge
from tasks.data.readers import (
    Parquet,
    SourceError,
    SourcePart,
    first_columns,
    parquet,
    read_parquet,
)
from tasks.data.rows_of_file import FileOfWindow, are_instants
from tasks.data.times import is_time, zone_of
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = timedelta(days=1)  # more than clocks differ between any two zones, or jump in one


class ParquetOfWindow(FileOfWindow):
    """A Parquet file that may hold rows of a window."""

    def part(self) -> SourcePart | None:
        """Return what reads its rows of the window; None if it has none.

        Raises SourceError if it cannot be read, or its times are none.
        """
        import pyarrow as pa

        try:
            file = parquet(self.fs, self.path, self.name)
            if file is None:
                return None
            time = self._time_type(file.schema)
            self._count(file, time)
            groups = file.groups(self._test(time))
        except (pa.ArrowException, OSError) as error:
            raise self.unreadable("parquet", error) from None
        if not groups:
            return None
        there = [name for name in self.wanted if name in file.schema.names]
        return SourcePart(_part(file.schema, there), lambda: self._batches(groups, there))

    def _batches(self, groups: list[int], there: list[str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        columns = list(dict.fromkeys([*there, self.spec.source.time]))
        try:
            for batch in read_parquet(self.fs, self.path, groups, columns):
                yield self.of_window(batch).select(there)
        except (pa.ArrowException, OSError) as error:
            raise self.unreadable("parquet", error) from None

    def _time_type(self, schema: pa.Schema) -> pa.DataType:
        import pyarrow as pa

        time = self.spec.source.time
        if time not in schema.names:
            raise SourceError(
                f"{self.name} has no column {time!r} (source.time); it has: "
                f"{first_columns(schema.names)}"
            )
        kind = schema.field(time).type
        if not (is_time(kind) or pa.types.is_null(kind)):
            raise SourceError(
                f"{self.name}: column {time!r} (source.time) is {kind}, not a timestamp; write it "
                "as one"
            )
        naive = not pa.types.is_null(kind) and getattr(kind, "tz", None) is None
        if naive and zone_of(self.spec) is None:
            raise self.no_zone()
        return kind

    def _test(self, kind: pa.DataType) -> Any:
        """Return a test that no row of the window fails, for the statistics of row groups."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = pc.field(self.spec.source.time)
        if pa.types.is_null(kind):
            return None
        start, end = (_bound(self.spec, kind, moment, wide) for moment, wide in self._range(kind))
        inside = (column >= start) & (column < end)
        return inside | column.is_null() if self.holds_timeless else inside

    def _range(self, kind: pa.DataType) -> list[tuple[Any, timedelta]]:
        wide = timedelta(0) if are_instants(self.spec, kind) else _DAY
        return [(self.window.start, -wide), (self.window.end, wide)]

    def _count(self, file: Parquet, kind: pa.DataType) -> None:
        """Count the rows that no window holds; where statistics rule them out nothing is read."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.counts or self.outside is None:
            return
        edges = at_edge(self.spec.window, self.window)
        dated = self.span.owner is not None
        name = self.spec.source.time
        test = None
        if not pa.types.is_null(kind):
            column = pc.field(name)
            wide = timedelta(0) if are_instants(self.spec, kind) else _DAY
            test = column.is_null()
            if dated or edges[0]:
                test |= column < _bound(self.spec, kind, self.span.start, wide)
            if (dated or edges[1]) and self.span.end.year < 9999:
                test |= column >= _bound(self.spec, kind, self.span.end, -wide)
        for batch in read_parquet(self.fs, self.path, file.groups(test), [name]):
            times = self.moments(batch.column(0))
            self.outside.see(times, self.span, self.name, edges)


def _bound(spec: ModelSpec, kind: pa.DataType, moment: Any, wide: timedelta) -> pa.Scalar:
    import pyarrow as pa

    moment = moment + wide
    if pa.types.is_date(kind):
        return pa.scalar(moment.date(), kind)
    return pa.scalar(moment if kind.tz else moment.replace(tzinfo=None), kind)


def _part(schema: pa.Schema, there: list[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in there])

"""The rows of a window from a CSV file: texts, read as what the spec says of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.data import csv_file
from tasks.data.columns import role_of
from tasks.data.outside import at_edge
from tasks.data.readers import SourceError, SourcePart, first_columns
from tasks.data.rows_of_file import FileOfWindow
from tasks.data.times import NoZone, from_texts, zone_of
from tasks.data.unpacking import BATCH_ROWS

if TYPE_CHECKING:
    import pyarrow as pa


class CsvOfWindow(FileOfWindow):
    """A CSV file that may hold rows of a window."""

    def part(self) -> SourcePart | None:
        """Return what reads its rows of the window; None if it is empty."""
        import pyarrow as pa

        if self.fs.size(self.path) == 0:
            return None
        types = {"time": pa.timestamp("us", "UTC"), "number": pa.float64()}
        fields = [(name, types.get(role_of(self.spec, name), pa.string())) for name in self.wanted]
        return SourcePart(pa.schema(fields), self._batches)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        edges = at_edge(self.spec.window, self.window)
        time = self.spec.source.time
        try:
            texts = csv_file.read_texts(self.fs, self.path, self._columns, BATCH_ROWS)
            for number, batch in enumerate(texts):
                read = self._typed(batch, first=number == 0)
                if self.counts:
                    assert self.outside is not None
                    self.outside.see(read.column(time), self.span, self.name, edges)
                there = [name for name in self.wanted if name in read.schema.names]
                yield self.of_window(read).select(there)
        except (pa.ArrowException, OSError) as error:
            raise self.unreadable("csv", error) from None

    def _columns(self, header: list[str]) -> list[str]:
        time = self.spec.source.time
        if time not in header:
            raise SourceError(
                f"{self.name} has no column {time!r} (source.time); it has: {first_columns(header)}"
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
                if self.counts and self.outside is not None:
                    self.outside.add_no_numbers(name, self.name, wrong)
            elif name in self.spec.features.categorical:
                values, _ = csv_file.categories(column)
            else:
                values = column
            columns.append(values)
        return pa.record_batch(columns, names=batch.schema.names)

    def _times(self, texts: pa.Array, first: bool) -> pa.Array:
        try:
            found, wrong = from_texts(texts, zone_of(self.spec))
        except NoZone:
            raise self.no_zone() from None
        if first and wrong and found.null_count == len(found):
            raise SourceError(
                f"{self.name}: none of its first times ({self.spec.source.time!r}, source.time) "
                "can be read as one; write them as 2026-01-31T00:00:00"
            )
        if self.counts and self.outside is not None and self.span.owner is None:
            self.outside.add("unreadable", self.name, wrong)
            self.outside.add("timeless", self.name, -wrong)  # counted as such with the others
        return found

"""What a file holds of a window, whatever its type: which of its rows, and whose the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.data.outside import Outside, TimeSpan
from tasks.data.readers import SourceError, unreadable
from tasks.data.times import instants, zone_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class FileOfWindow:
    """A file that may hold rows of a window; `span` is the time that its name says it is of.

    `name` is its URL, `path` what `fs` calls it; `outside` counts the rows that no window holds.
    """

    spec: ModelSpec
    window: Window
    wanted: tuple[str, ...]
    name: str
    span: TimeSpan
    outside: Outside | None
    fs: Any
    path: str

    @property
    def counts(self) -> bool:
        """Return whether what lies outside in this file is told in this window."""
        return self.outside is not None and self.span.owned(self.window)

    @property
    def holds_timeless(self) -> bool:
        """Return whether the file's rows without a time are of this window."""
        owner = self.span.owner
        return owner is not None and self.span.owned(self.window)

    def of_window(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of the window; where local times are held, with instants for them."""
        import pyarrow as pa

        name = self.spec.source.time
        place = batch.schema.get_field_index(name)
        column = batch.column(place)
        if pa.types.is_null(column.type) or not are_instants(self.spec, column.type):
            column = self.moments(column)
            batch = batch.set_column(place, name, column)
        return within_window(batch, column, self.window, missing=self.holds_timeless)

    def moments(self, column: Any) -> Any:
        """Return times as instants in UTC."""
        import pyarrow as pa

        if pa.types.is_null(column.type):
            return column.cast(pa.timestamp("us", "UTC"))
        return instants(column, zone_of(self.spec))

    def no_zone(self) -> SourceError:
        """Return the error about times without a known zone."""
        return SourceError(no_zone(self.spec, self.name))

    def unreadable(self, kind: str, error: Exception) -> SourceError:
        """Return the error of a file that cannot be read."""
        return unreadable(self.name, kind, error, f"run the window {self.window} again")


def no_zone(spec: ModelSpec, where: str) -> str:
    """Return the sentence about times without a known zone."""
    return (
        f"{where}: times in {spec.source.time!r} (source.time) have no zone, and days begin in "
        f"{spec.window.timezone} (window.timezone); say which zone these times are in: set "
        f"source.timezone to {spec.window.timezone}, UTC or another"
    )


def within_window(
    batch: pa.RecordBatch, times: Any, window: Window, missing: bool
) -> pa.RecordBatch:
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


def are_instants(spec: ModelSpec, kind: pa.DataType) -> bool:
    """Return whether times of a type are instants as they stand."""
    import pyarrow as pa

    if not pa.types.is_timestamp(kind):
        return False
    return kind.tz is not None or zone_of(spec) == "UTC"

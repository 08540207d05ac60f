"""The rows of a window from a SQL table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tasks.data.columns import ColumnRole, role_of
from tasks.data.outside import Outside, at_edge, span_of
from tasks.data.readers import SourceError, SourcePart, require_columns
from tasks.data.rows_of_file import no_zone, within_window
from tasks.data.sql_table import SqlColumn, UnreadableTable, columns_of, read_table
from tasks.data.times import NoZone, from_texts, instants, zone_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

_DAYS = timedelta(days=2)  # more than clocks differ between any two zones
_LOOKS_LIKE_A_TIME = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"


def parts(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None
) -> list[SourcePart]:
    """Return the one part that a table's rows are."""
    return [SourcePart(None, lambda: _read(spec, window, wanted, outside))]


def labels(
    spec: ModelSpec, window: Window, columns: list[str]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield batches of key and label, and the table's name."""
    place = spec.label.source
    assert place is not None

    def role(name: str) -> ColumnRole:
        return "key" if name == columns[0] else "label"

    def plan(table: sa.Table, link: sa.Connection) -> tuple[Any, list[SqlColumn]]:
        require_columns(columns, list(table.c.keys()), str(place), place.option)
        return lambda query: query, columns_of(table, columns, role)

    try:
        for batch in read_table(place, place.option, plan):
            yield str(place), batch
    except UnreadableTable as error:
        raise SourceError(str(error)) from None


def _read(
    spec: ModelSpec, window: Window, wanted: tuple[str, ...], outside: Outside | None
) -> Iterator[pa.RecordBatch]:
    """Yield a window's rows in the order of time, then key.

    Raises
    ------
    SourceError
        If the table cannot be read.
    """
    source = spec.source
    table_read = _Table(spec, window, wanted, outside)
    try:
        for batch in read_table(source, "source", table_read.plan):
            yield table_read.of_window(batch)
    except UnreadableTable as error:
        raise SourceError(str(error)) from None
    except NoZone:
        raise SourceError(no_zone(spec, str(source))) from None


class _Table:
    def __init__(
        self,
        spec: ModelSpec,
        window: Window,
        wanted: tuple[str, ...],
        outside: Outside | None,
    ) -> None:
        self._spec, self._window, self._outside = spec, window, outside
        self._wanted = wanted
        self._edges = at_edge(spec.window, window)
        self._there: list[str] = []

    def plan(self, table: sa.Table, link: sa.Connection) -> tuple[Any, list[SqlColumn]]:
        source = self._spec.source
        if source.time not in table.c:
            raise SourceError(f"{source} has no column {source.time!r} (source.time)")
        time = table.c[source.time]
        self._check(time, table)
        self._count(table, link)
        self._there = [name for name in self._wanted if name in table.c]
        names = list(dict.fromkeys([*self._there, source.time]))
        columns = columns_of(table, names, partial(role_of, self._spec))
        low, high = self._bounds(time)
        plain = _plain(time)
        order = [plain, *(c for c in [table.c.get(source.key)] if c is not None)]
        return lambda q: q.where(plain >= low, plain < high).order_by(*order), columns

    def _check(self, time: sa.Column[Any], table: sa.Table) -> None:
        import sqlalchemy as sa

        kinds: Any = sa.DateTime | sa.Date
        if _in_sqlite(table):
            kinds |= sa.String | sa.types.NullType
        if not isinstance(time.type, kinds):
            raise SourceError(
                f"{self._spec.source}: column {time.name!r} (source.time) is {time.type}, "
                "not a timestamp; make it one"
            )
        naive = not getattr(time.type, "timezone", False) and not _in_sqlite(table)
        if naive and zone_of(self._spec) is None:
            raise NoZone

    def _bounds(self, time: sa.Column[Any]) -> tuple[Any, Any]:
        """Return what a time of the window lies between, as the column holds it, if not exactly."""
        import sqlalchemy as sa

        start, end = self._window.start, self._window.end
        if _in_sqlite(time.table):
            return f"{start - _DAYS:%Y-%m-%d}", f"{end + _DAYS:%Y-%m-%d}"
        if isinstance(time.type, sa.Date):
            return (start - _DAYS).date(), (end + _DAYS).date()
        if getattr(time.type, "timezone", False):
            return start, end
        wide = timedelta(0) if zone_of(self._spec) == "UTC" else _DAYS
        return (start - wide).replace(tzinfo=None), (end + wide).replace(tzinfo=None)

    def of_window(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of the window itself, their times being instants."""
        import pyarrow as pa

        name = self._spec.source.time
        place = batch.schema.get_field_index(name)
        times = batch.column(place)
        zone = zone_of(self._spec)
        if pa.types.is_string(times.type):
            times, wrong = from_texts(times, zone)
            times = times.cast(pa.timestamp("us"))  # UTC, as times without a zone are read
            if self._outside is not None:
                self._outside.add("unreadable", str(self._spec.source), wrong)
        elif pa.types.is_date(times.type) or (times.type.tz is None and zone != "UTC"):
            times = instants(times, zone)
        batch = batch.set_column(place, name, times)
        if self._outside is not None and any(self._edges):
            span = span_of(self._spec.window, None)
            self._outside.see(times, span, str(self._spec.source), self._edges)
        return within_window(batch, times, self._window, missing=False).select(self._there)

    def _count(self, table: sa.Table, link: sa.Connection) -> None:
        """Count the rows that no window holds, but for those that are read beside the window's."""
        import sqlalchemy as sa

        if self._outside is None:
            return
        time = table.c[self._spec.source.time]
        plain = _plain(time)
        low, high = self._bounds(time)
        tests: dict[str, Any] = {"timeless": time.is_(None)}
        known: Any = sa.true()
        if _in_sqlite(table):
            known = (sa.func.typeof(plain) == "text") & plain.op("glob")(_LOOKS_LIKE_A_TIME)
            tests["unreadable"] = sa.not_(known) & time.is_not(None)
        if self._edges[0]:
            tests["early"] = known & (plain < low)
        if self._edges[1]:
            tests["late"] = known & (plain >= high)
        for why, test in tests.items():
            count = link.execute(sa.select(sa.func.count()).select_from(table).where(test)).scalar()
            self._outside.add(why, str(self._spec.source), count or 0)


def _in_sqlite(table: Any) -> bool:
    return bool(table.info.get("dialect") == "sqlite")


def _plain(time: sa.Column[Any]) -> Any:
    """Return the column as the driver has it, where times are texts."""
    import sqlalchemy as sa

    return sa.type_coerce(time, sa.Text()) if _in_sqlite(time.table) else time

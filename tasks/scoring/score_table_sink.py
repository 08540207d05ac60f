"""Scores → a SQL table, in one transaction: made if it is not there, else held column by column."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks import disk
from tasks.data import score_table
from tasks.data.plain import as_texts
from tasks.data.score_table import OPTION, PROMOTION, WINDOW, manifests_of, of_window, scores_place
from tasks.data.sql_table import UnreadableTable, engine_at, table_at
from tasks.errors import Final, Retryable
from tasks.spec.model import ModelSpec
from tasks.spec.source_options import Place
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

_PATIENCE = 30  # seconds, for another process's lock on SQLite
_ROWS = 8_192  # of one statement, where there is no COPY


class NotWritten(Final):
    """A table that cannot take the scores; says which column, and the way out."""


class ScoredMeanwhile(Retryable):
    """Another run scored the window at the same time; nothing of this one was written."""


@contextmanager
def table_sink(
    spec: ModelSpec, window: Window, promotion: int, schema: pa.Schema, *, again: bool
) -> Iterator[_Rows]:
    """Yield what takes a window's scores; see `score_sinks.sink_of`.

    Raises
    ------
    NotWritten
        If the table is not as it must be, or the database refuses it.
    ScoredMeanwhile
        If another run wrote the same window, and it is not to be written `again`.
    tasks.disk.Unusable
        If the database does not answer, or its disk is full.
    """
    import sqlalchemy as sa

    where, place = score_table.scores_named(spec, window, promotion), scores_place(spec)
    try:
        patient = {"connect_args": {"timeout": _PATIENCE}} if _is_sqlite(place.database) else {}
        engine = engine_at(place, OPTION, **patient)
    except UnreadableTable as error:
        raise NotWritten(str(error)) from None
    manifests = manifests_of(spec)
    mine = of_window(manifests, window, promotion)
    named = {WINDOW: window.name, PROMOTION: promotion}
    try:
        table = _table(spec, engine, schema)
        with engine.begin() as link:
            if again:
                link.execute(sa.delete(manifests).where(mine))
            try:  # first, so that whoever scores the same window waits here
                link.execute(sa.insert(manifests).values(**named, manifest=""))
            except sa.exc.IntegrityError:
                raise ScoredMeanwhile(
                    f"{where}: another run scored this window just now; run this again"
                ) from None
            link.execute(sa.delete(table).where(of_window(table, window, promotion)))
            rows = _Rows(link, table, named)
            yield rows
            link.execute(sa.update(manifests).where(mine).values(manifest=rows.manifest))
    except (sa.exc.SQLAlchemyError, engine.dialect.dbapi.Error) as error:  # type: ignore[union-attr]
        raise _refused(f"{where} ({OPTION}.table)", engine, error) from None
    finally:
        engine.dispose()


class _Rows:
    """Rows on their way into a table, within one transaction."""

    def __init__(self, link: sa.Connection, table: sa.Table, named: Mapping[str, Any]) -> None:
        self._link, self._table, self._named = link, table, named
        self.manifest = ""

    def write(self, part: pa.Table) -> None:
        """Add some rows."""
        import pyarrow as pa

        few = [pa.repeat(pa.scalar(value), part.num_rows) for value in self._named.values()]
        columns = [*few, *(_stored(column, self._table) for column in part.columns)]
        rows = pa.table(columns, names=[*self._named, *part.column_names])
        if self._link.dialect.driver == "psycopg":
            self._copy(rows)
            return
        insert = self._execute_many if self._link.dialect.name == "sqlite" else self._insert
        for batch in rows.to_batches(_ROWS):
            insert(batch.schema.names, zip(*(c.to_pylist() for c in batch.columns), strict=True))

    def seal(self, manifest: str) -> None:
        """Keep the sealed manifest, which is written at the end."""
        self.manifest = manifest

    def _copy(self, rows: pa.Table) -> None:
        import pyarrow.csv as pc

        copy = f"copy {self._into(rows.column_names)} from stdin (format csv)"
        text = io.BytesIO()
        pc.write_csv(rows, text, pc.WriteOptions(include_header=False))
        driver: Any = self._link.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(copy) as stream:
            stream.write(text.getbuffer())

    def _execute_many(self, names: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert what the driver takes as it is, which is faster."""
        marks = ", ".join("?" * len(names))
        self._link.exec_driver_sql(f"insert into {self._into(names)} values ({marks})", [*rows])

    def _insert(self, names: list[str], rows: Iterable[tuple[Any, ...]]) -> None:
        import sqlalchemy as sa

        many = [dict(zip(names, row, strict=True)) for row in rows]
        self._link.execute(sa.insert(self._table), many)

    def _into(self, names: list[str]) -> str:
        quoted = self._link.dialect.identifier_preparer
        columns = ", ".join(quoted.quote(name) for name in names)
        return f"{quoted.format_table(self._table)} ({columns})"


def _stored(column: pa.ChunkedArray, table: sa.Table) -> pa.ChunkedArray:
    """Return values in the type in which they are stored: see `_kind`."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        try:
            column = column.cast(pa.timestamp("us", column.type.tz))
        except pa.ArrowInvalid:  # whose text would quote a time
            raise NotWritten(
                f"table {table.fullname} ({OPTION}.table): times of the rows have nanoseconds, and "
                f"a database keeps microseconds; write the scores to files ({OPTION}.path)"
            ) from None
    return as_texts(column) if _is_text(column.type, table.info["dialect"] == "sqlite") else column


def _is_text(kind: pa.DataType, sqlite: bool) -> bool:
    """Return whether values of a type are stored as texts: what no column holds exactly is."""
    from pyarrow import types as t

    whole = t.is_integer(kind) and not t.is_uint64(kind)
    times = t.is_timestamp(kind) or t.is_date(kind)
    return not (whole or t.is_floating(kind) or t.is_string(kind) or (times and not sqlite))


def _kind(kind: pa.DataType, sqlite: bool) -> sa.types.TypeEngine[Any]:
    """Return the type of a column that holds values of an Arrow type exactly."""
    import sqlalchemy as sa
    from pyarrow import types as t

    if _is_text(kind, sqlite) or t.is_string(kind):
        return sa.Text()
    if t.is_integer(kind):
        return sa.Integer() if t.is_int32(kind) else sa.BigInteger()
    if t.is_floating(kind):
        return sa.Double()
    return sa.DateTime(timezone=kind.tz is not None) if t.is_timestamp(kind) else sa.Date()


def _table(spec: ModelSpec, engine: sa.Engine, schema: pa.Schema) -> sa.Table:
    """Return the table of scores: as it is there, or as it was made just now."""
    import sqlalchemy as sa

    sqlite = engine.dialect.name == "sqlite"
    within, _, name = (scores_place(spec).table or "").rpartition(".")
    kinds: dict[str, Any] = {WINDOW: sa.Text(), PROMOTION: sa.Integer()}
    kinds |= {field.name: _kind(field.type, sqlite) for field in schema}
    made = sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(column, kind, nullable=False) for column, kind in kinds.items()),
        sa.Index(f"{name}_window", WINDOW, PROMOTION),
        schema=within or None,
    )
    _there(manifests_of(spec), engine)
    return _there(made, engine)


def _there(made: sa.Table, engine: sa.Engine) -> sa.Table:
    """Make a table if it is not there, and return it as it is; NotWritten if it is another."""
    import sqlalchemy as sa

    try:
        made.create(engine, checkfirst=True)
    except (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.OperationalError):
        if not sa.inspect(engine).has_table(made.name, made.schema):  # else: made just now
            raise
    there = table_at(Place(table=made.fullname, database=OPTION), engine)
    _check(f"table {made.fullname} ({OPTION}.table)", there, made, engine)
    return there


def _check(place: str, there: sa.Table, made: sa.Table, engine: sa.Engine) -> None:
    """Raise NotWritten unless a table has the columns that are written, and needs no others."""
    out = f"alter the table, or name another {OPTION}.table"
    for name, kind in ((column.name, column.type) for column in made.c):
        told = kind.compile(engine.dialect)
        if name not in there.c:
            raise NotWritten(f"{place} has no column {name!r} ({told}); {out}")
        found = there.c[name].type
        if not _holds(found, kind, sqlite=engine.dialect.name == "sqlite"):
            raise NotWritten(
                f"{place}: column {name!r} is {found.compile(engine.dialect)}, and the scores need "
                f"{told}; {out}"
            )
    for column in there.c:
        if column.name not in made.c and not (column.nullable or column.server_default):
            raise NotWritten(
                f"{place}: column {column.name!r} must have a value, and the scores have none for "
                f"it; give it a default, or {out}"
            )


def _holds(found: Any, wanted: Any, *, sqlite: bool) -> bool:
    """Return whether a column of a type holds all values of another exactly."""
    import sqlalchemy as sa

    if isinstance(wanted, sa.Double):
        # PostgreSQL's real has half of the digits; in SQLite all of them are doubles.
        return isinstance(found, sa.Float) and (sqlite or not isinstance(found, sa.REAL))
    if isinstance(wanted, sa.BigInteger):
        small = isinstance(found, sa.SmallInteger) or not isinstance(found, sa.BigInteger)
        return isinstance(found, sa.Integer) and (sqlite or not small)
    if isinstance(wanted, sa.Integer):
        return isinstance(found, sa.Integer) and not isinstance(found, sa.SmallInteger)
    if isinstance(wanted, sa.DateTime):
        return isinstance(found, sa.DateTime) and bool(found.timezone) == bool(wanted.timezone)
    if isinstance(wanted, sa.Date):
        return isinstance(found, sa.Date)
    return isinstance(found, sa.String)


def _is_sqlite(variable: str | None) -> bool:
    import os

    return os.environ.get(variable or "", "").startswith("sqlite")


def _refused(place: str, engine: sa.Engine, error: Exception) -> Exception:
    """Return what a database says against being written; what may quote a value is left out."""
    cause = getattr(error, "orig", None) or error
    dbapi: Any = engine.dialect.dbapi
    if isinstance(cause, dbapi.OperationalError | dbapi.InternalError):
        return disk.unwritten(place, cause)
    if isinstance(cause, dbapi.ProgrammingError):
        return NotWritten(f"{place} cannot be written: {str(cause).splitlines()[0][:200]}")
    return NotWritten(
        f"{place} cannot be written ({type(cause).__name__}); look at the table's own rules"
    )

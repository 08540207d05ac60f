"""Read a SQL table: each column in the type that the table gives it, never that of some values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.data.plain import text_of
from tasks.data.times import from_texts
from tasks.data.unpacking import TooLarge, bounded, query_rows
from tasks.errors import Final

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from tasks.data.columns import ColumnRole
    from tasks.spec.source_options import Place

_PART_ROWS = 16_384


@dataclass(frozen=True)
class SqlColumn:
    """A column to select, and what makes an Arrow array of its values."""

    expression: sa.ColumnElement[Any]
    array: Callable[[list[Any]], pa.Array]
    kind: str


class UnreadableTable(Final):
    """A table that cannot be read; says why."""


def columns_of(
    table: sa.Table, names: Sequence[str], role: Callable[[str], ColumnRole]
) -> list[SqlColumn]:
    """Return the columns of a table to read, each in its type and for its role."""
    return [_column(table.c[name], role(name), _has_no_times(table)) for name in names]


def _has_no_times(table: sa.Table) -> bool:
    # SQLite has no type for times: they are texts, and SQLAlchemy's parser quotes bad ones.
    return bool(table.info.get("dialect") == "sqlite")


def _column(column: sa.Column[Any], role: ColumnRole, sqlite: bool) -> SqlColumn:
    import pyarrow as pa
    import sqlalchemy as sa

    kind = column.type
    name = str(kind)
    plain = sa.type_coerce(column, sa.types.NullType()).label(column.name)  # as the driver has it
    if sqlite and role == "time":
        return SqlColumn(plain, _times_as_text, name)
    if sqlite and isinstance(kind, sa.DateTime | sa.Date):
        return SqlColumn(plain, _parsed, name)
    if isinstance(kind, sa.Boolean):
        return SqlColumn(column, _strict(pa.bool_()), name)
    if isinstance(kind, sa.Integer):
        wide = getattr(kind, "unsigned", False)
        return SqlColumn(column, _strict(pa.uint64() if wide else pa.int64()), name)
    if isinstance(kind, sa.Float) or (isinstance(kind, sa.Numeric) and role in _NUMBERS):
        return SqlColumn(column, _floats, name)
    if isinstance(kind, sa.Numeric | sa.Uuid | sa.LargeBinary):
        return SqlColumn(plain if sqlite else column, _texts, name)
    if isinstance(kind, sa.String):
        return SqlColumn(column, _strict(pa.string()), name)
    if isinstance(kind, sa.Date):
        return SqlColumn(column, _strict(pa.date32()), name)
    if isinstance(kind, sa.DateTime):
        return SqlColumn(column, _times(bool(getattr(kind, "timezone", False))), name)
    if role in _NUMBERS:
        return SqlColumn(plain, _floats, name)
    if role in ("key", "text", "label"):
        return SqlColumn(column, _texts, name)
    return SqlColumn(column, _inferred, name)


_NUMBERS = ("number", "label", "unknown")


def _strict(kind: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    import pyarrow as pa

    return lambda values: pa.array(values, kind)


def _floats(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if v is None else float(v) for v in values], pa.float64())


def _texts(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([text_of(value) for value in values], pa.string())


def _times_as_text(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if v is None else str(v) for v in values], pa.string())


def _parsed(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    found, _ = from_texts(_times_as_text(values), "UTC")
    return found.cast(pa.timestamp("us"))


def _times(aware: bool) -> Callable[[list[Any]], pa.Array]:
    import pyarrow as pa

    zone: list[str] = []

    def array(values: list[Any]) -> pa.Array:
        if not aware:
            return pa.array(values, pa.timestamp("us"))
        if not zone:
            # The zone of the session, as it has ever been in the digest of rows.
            first = next((v for v in values if v is not None), None)
            zone.append(getattr(getattr(first, "tzinfo", None), "key", "UTC"))
        return pa.array(values, pa.timestamp("us", zone[0]))

    return array


def _inferred(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    column = pa.array(values)
    return column.cast(pa.float64()) if pa.types.is_null(column.type) else column


def engine_at(place: Place, option: str, **settings: Any) -> sa.Engine:
    """Return the engine of a table's database. Raises UnreadableTable if none is named."""
    import sqlalchemy as sa

    variable = place.database or ""
    url = os.environ.get(variable)
    if not url:
        raise UnreadableTable(f"{option}.database: the environment variable {variable} is not set")
    try:
        return sa.create_engine(url, **settings)
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:  # may quote a password
        raise UnreadableTable(
            f"{option}.database: {variable} is no address of a database ({type(error).__name__}); "
            "write postgresql+psycopg://ROLE:PASSWORD@HOST/DATABASE, with %-signs for special "
            "signs of the password"
        ) from None


@contextmanager
def database_of(place: Place, option: str) -> Iterator[sa.Engine]:
    """Yield the engine of a table's database; what it says against reading is UnreadableTable."""
    import sqlalchemy as sa

    engine = engine_at(place, option)
    try:
        yield engine
    except TooLarge as error:
        raise UnreadableTable(f"{place}: {error}, then run this again") from None
    except sa.exc.NoSuchTableError:
        raise UnreadableTable(
            f"{place} is not in the database of {place.database}; correct {option}.table"
        ) from None
    except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
        reason = str(error.orig).splitlines()[0][:200]
        raise UnreadableTable(f"{place} cannot be read: {reason}") from None
    except (sa.exc.SQLAlchemyError, engine.dialect.dbapi.Error, ValueError) as error:  # type: ignore[union-attr]
        # Its text may quote a row's value.
        raise UnreadableTable(f"{place} cannot be read ({type(error).__name__})") from None
    finally:
        engine.dispose()


def table_at(place: Place, engine: sa.Engine) -> sa.Table:
    """Return a table with the columns that it has in its database."""
    import sqlalchemy as sa

    schema_name, _, table_name = (place.table or "").rpartition(".")
    return sa.Table(
        table_name,
        sa.MetaData(),
        schema=schema_name or None,
        autoload_with=engine,
        info={"dialect": engine.dialect.name},
    )


def read_table(
    place: Place,
    option: str,
    plan: Callable[[sa.Table, sa.Connection], tuple[Any, list[SqlColumn]]],
) -> Iterator[pa.RecordBatch]:
    """Yield what the query that `plan` makes of a SQL table finds there.

    Parameters
    ----------
    option
        Where the spec names the table.
    plan
        Makes of the table what is added to the selection of columns, and those columns.

    Raises
    ------
    UnreadableTable
        If the table cannot be read.
    """
    import pyarrow as pa
    import sqlalchemy as sa

    with database_of(place, option) as engine:
        table = table_at(place, engine)
        with engine.connect() as link:
            refine, columns = plan(table, link)
            query = refine(sa.select(*(column.expression for column in columns)))
            names = [column.expression.name for column in columns]
            rows = query_rows(link, query, _PART_ROWS)
            options: Any = {"stream_results": True, "yield_per": rows}
            result = link.execute(query, execution_options=options)

            def parts() -> Iterator[pa.RecordBatch]:
                for part in result.partitions():
                    values = zip(columns, zip(*part, strict=True), strict=True)
                    arrays = [_array(place, column, list(found)) for column, found in values]
                    yield pa.RecordBatch.from_arrays(arrays, names=names)

            yield from bounded(parts())


def _array(place: Place, column: SqlColumn, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        return column.array(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        raise UnreadableTable(
            f"{place}: column {column.expression.name!r} is {column.kind}, and holds values of "
            "another kind; make them one"
        ) from None

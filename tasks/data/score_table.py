"""The SQL table in which scores stand, and the one beside it with their manifests.

A window's scores by the champion of a promotion are the rows that name both. Their manifest is a
row of its own, written in the same transaction: there are all of them, or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks.data.columns import ColumnRole
from tasks.data.readers import SourceError, first_columns
from tasks.data.score_manifest import AGAIN
from tasks.data.sql_table import SqlColumn, UnreadableTable, columns_of, database_of, read_table
from tasks.spec.model import ModelSpec
from tasks.spec.scoring_options import WINDOW_COLUMNS
from tasks.spec.source_options import Place
from tasks.spec.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

OPTION = "scoring"
WINDOW, PROMOTION = WINDOW_COLUMNS


def scores_named(spec: ModelSpec, window: Window, promotion: int) -> str:
    """Return what people know a window's scores by."""
    return f"{scores_place(spec)} ({WINDOW} {window.name}, {PROMOTION} {promotion})"


def newest_scores(spec: ModelSpec, window: Window) -> int | None:
    """Return the latest promotion whose champion scored a window; None if none did.

    Raises SourceError if the tables cannot be read.
    """
    import sqlalchemy as sa

    with _known(spec) as engine:
        table = manifests_of(spec)
        if not sa.inspect(engine).has_table(table.name, table.schema):
            return None
        query = sa.select(sa.func.max(table.c[PROMOTION])).where(table.c[WINDOW] == window.name)
        with engine.connect() as link:
            found: int | None = link.execute(query).scalar()
        return found


def scores_manifest(spec: ModelSpec, window: Window, promotion: int) -> str | None:
    """Return the manifest of a window's scores, as text; None if there are none.

    Raises SourceError if the tables cannot be read.
    """
    import sqlalchemy as sa

    with _known(spec) as engine, engine.connect() as link:
        table = manifests_of(spec)
        mine = of_window(table, window, promotion)
        found: str | None = link.execute(sa.select(table.c.manifest).where(mine)).scalar()
        return found


def read_scores(
    spec: ModelSpec, window: Window, promotion: int, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a window's scores. Raises SourceError."""
    place = scores_place(spec)

    def role(name: str) -> ColumnRole:
        return "key" if name == spec.source.key else "number"

    def plan(table: sa.Table, _: sa.Connection) -> tuple[Any, list[SqlColumn]]:
        there = list(table.c.keys())
        if missing := [name for name in (*WINDOW_COLUMNS, *columns) if name not in there]:
            raise SourceError(
                f"{place} has no column {missing[0]!r}; it has: {first_columns(there)}. The spec "
                f"named its columns otherwise when it was made: name another scoring.table, then "
                f"{AGAIN}"
            )
        mine = of_window(table, window, promotion)
        return lambda query: query.where(mine), columns_of(table, columns, role)

    try:
        yield from read_table(place, OPTION, plan)
    except UnreadableTable as error:
        raise SourceError(str(error)) from None


def scores_place(spec: ModelSpec) -> Place:
    """Return where the table of scores is."""
    assert spec.scoring is not None
    return spec.scoring.place


def manifests_of(spec: ModelSpec) -> sa.Table:
    """Return the table of the manifests, as it is made."""
    import sqlalchemy as sa

    schema, _, name = (scores_place(spec).table or "").rpartition(".")
    return sa.Table(
        f"{name}_manifests",
        sa.MetaData(),
        sa.Column(WINDOW, sa.Text(), primary_key=True),
        sa.Column(PROMOTION, sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        schema=schema or None,
    )


def of_window(table: sa.Table, window: Window, promotion: int) -> sa.ColumnElement[bool]:
    """Return what holds for the rows of a window by the champion of a promotion."""
    return (table.c[WINDOW] == window.name) & (table.c[PROMOTION] == promotion)


@contextmanager
def _known(spec: ModelSpec) -> Iterator[sa.Engine]:
    try:
        with database_of(scores_place(spec), OPTION) as engine:
            yield engine
    except UnreadableTable as error:
        raise SourceError(str(error)) from None

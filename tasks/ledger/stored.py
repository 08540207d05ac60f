"""Records as rows of the ledger's tables, and back again, on one connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tasks import formats
from tasks.ledger import shelf
from tasks.ledger.records import Held, LabelsSeen, Observation, Promotion, champion_at
from tasks.ledger.shelf import Key, Shelf, StoredFigures
from tasks.ledger.tables import OBSERVATIONS

_Row = TypeVar("_Row")
_PATHS = (
    ("calibration", "verdict"),
    ("calibration", "pressure"),
    ("accepted",),
    ("labelled",),
    ("losses", "hinge_loss"),
    (formats.KEY,),
)
_LIGHT = [
    OBSERVATIONS.c[name] for name in ("id", *shelf.NATURAL_KEY, "verdict", "reason", "pressure")
]


def row_of(record: Any) -> dict[str, Any]:
    """Return the columns that a record fills; figures that come later come now."""
    values = ((f.name, getattr(record, f.name)) for f in fields(record))
    return {n: dict(value) if isinstance(value, Mapping) else value for n, value in values}


def as_stored(value: Any) -> Any:
    """Return a value such that it is equal to itself once it was stored and read."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, Mapping):
        value = {formats.KEY: formats.UNNUMBERED, **value}
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, default=str)
    return value


def records(link: sa.Connection, query: sa.Select[Any], kind: type[_Row]) -> list[_Row]:
    """Return the rows of a query as records. Raises formats.OtherFormat, which names its row."""
    names = [f.name for f in fields(cast(Any, kind))]
    found = link.execute(query).mappings()
    return [kind(**{n: _loaded(kind, row, n) for n in names}) for row in found]


def of_model(link: sa.Connection, table: sa.Table, model: str, kind: type[_Row]) -> list[_Row]:
    """Return a model's rows of a table as records, in the order of writing."""
    return records(link, sa.select(table).where(table.c.model == model).order_by(table.c.id), kind)


def _are_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and [type(part) for part in one] == [str, str] for one in value
    )


def _are_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


# What JSON without a format of its own has to look like.
_SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "asked": _are_pairs,
    "gates": _are_mappings,
    "reference": lambda value: isinstance(value, Mapping),
}


def _loaded(kind: type[Any], row: sa.RowMapping, name: str) -> Any:
    what = f"{name} of {kind.__name__.lower()} {row['id']} of {row['model']}"
    if name not in formats.COLUMNS:
        with formats.undamaged(what):
            if name in _SHAPES and not _SHAPES[name](row[name]):
                raise ValueError(name)
        return row[name]
    return formats.load_stored(what, row[name], formats.COLUMNS[name])


def observations(
    link: sa.Connection, model: str, *where: sa.ColumnElement[bool]
) -> dict[int, Observation]:
    """Return a model's observations by row id, in the order of writing; their figures come later.

    What the state of a model needs of the figures is read at once; see `Observation.held` and
    `Observation.labels`.

    Raises
    ------
    tasks.formats.OtherFormat
        If a newer release wrote one of them; names the row.
    """
    # Numbers are taken as the text that was written: what SQLite makes of it is not Python's float.
    query = (
        sa.select(*_LIGHT, _needed(link.dialect.name).label("needed"))
        .where(OBSERVATIONS.c.model == model, *where)
        .order_by(OBSERVATIONS.c.id)
    )
    rows = link.execute(query).all()
    keys: dict[int, Key] = {row[0]: tuple(row[1:7]) for row in rows}
    unread = {row[0]: keys[row[0]] for row in rows if row[-1] is None}
    whole = shelf.read_figures(link, model, unread) if unread else {}
    place = Shelf(link.engine, model, keys, tuple(keys))
    found = {}
    for number, row in enumerate(rows):
        row_id, version, start, end, revision, spec, data, verdict, reason, pressure, needed = row
        found[row_id] = Observation(
            model=model,
            version=version,
            window_start=start,
            window_end=end,
            spec_digest=spec,
            data_digest=data,
            verdict=verdict,
            reason=reason,
            pressure=pressure,
            figures=_later(place, number, needed) if needed else whole[row_id],
            revision=revision,
        )
    return found


def _needed(dialect: str) -> sa.ColumnElement[Any]:
    figures = OBSERVATIONS.c.figures
    if dialect == "sqlite":
        paths = ["$." + ".".join(path) for path in _PATHS]
        found = sa.func.json_extract(figures, *paths, type_=sa.JSON)
        # An infinity, which Python writes, is no JSON: such a row is read whole.
        return sa.case((sa.func.json_valid(figures) == 1, found), else_=sa.null())
    parts = (figures.op("#>")(sa.literal(list(path), postgresql.ARRAY(sa.Text))) for path in _PATHS)
    return sa.func.json_build_array(*parts, type_=sa.JSON)


def _later(place: Shelf, number: int, needed: Sequence[Any]) -> StoredFigures:
    with formats.undamaged(f"figures of observation {place.ids[number]} of {place.model}"):
        verdict, pressure, rows, labelled, loss, form = needed
        if (formats.UNNUMBERED if form is None else form) not in formats.COLUMNS["figures"]:
            shelf.load_figures(place.model, place.ids[number], {formats.KEY: form})  # which refuses
    held = None if verdict is None else Held(verdict, pressure)
    labels = None if labelled is None else LabelsSeen(rows or 0, labelled, loss is not None)
    return StoredFigures(place, number, held, labels)


def ruling(seen: Iterable[Observation], promotions: list[Promotion]) -> list[Observation]:
    """Return what stands for each window under the champion it belongs to, oldest window first.

    `seen` are observations in the order of writing: the newest revision of a window stands.
    """
    newest = {(o.version, o.window_start, o.window_end): o for o in seen}

    def rules(observation: Observation) -> bool:
        period = champion_at(promotions, observation.window_start)
        return period is not None and period.version == observation.version

    found = [o for o in newest.values() if rules(o)]
    return sorted(found, key=lambda o: (o.window_start, o.window_end))

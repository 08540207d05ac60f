"""The figures of observations, read from the ledger when somebody looks at them.

They are nine tenths of a ledger's bytes, and the state of a model needs few of them. A row is never
changed, so that it does not matter when its figures are read; those that expired meanwhile say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from tasks import formats
from tasks.errors import Retryable
from tasks.ledger.records import Held, LabelsSeen, LaterFigures
from tasks.ledger.tables import OBSERVATIONS

PAGE_ROWS = 16  # that are read at once
PAGES = 64  # that a process keeps, whatever it reads

# What tells an observation from every other one of its model: version, window, revision, digests.
Key = tuple[int, datetime, datetime, int, str, str]
NATURAL_KEY = ("version", "window_start", "window_end", "revision", "spec_digest", "data_digest")


class LedgerReplaced(Retryable):
    """Another ledger took the place of the one that was read: names the row and the way out."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """Where the figures of a model's observations stand: by row id, what is known of each row."""

    engine: sa.Engine
    model: str
    keys: Mapping[int, Key]
    ids: tuple[int, ...]


class StoredFigures(LaterFigures):
    """The figures of one observation; equal to the mapping that was written."""

    __slots__ = ("_place", "_shelf")

    def __init__(
        self, shelf: Shelf, place: int, held: Held | None, labels: LabelsSeen | None
    ) -> None:
        self._shelf = shelf
        self._place = place
        self.held = held
        self.labels = labels

    def _read(self) -> Mapping[str, Any]:
        number, row = divmod(self._place, PAGE_ROWS)
        return _page(self._shelf, number)[row]

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"StoredFigures({self._shelf.model}, row {self._shelf.ids[self._place]})"

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


@lru_cache(maxsize=PAGES)
def _page(shelf: Shelf, number: int) -> list[Mapping[str, Any]]:
    ids = shelf.ids[number * PAGE_ROWS : (number + 1) * PAGE_ROWS]
    with shelf.engine.connect() as link:
        found = read_figures(link, shelf.model, {n: shelf.keys[n] for n in ids})
    return [found[n] for n in ids]


def read_figures(
    link: sa.Connection, model: str, keys: Mapping[int, Key]
) -> dict[int, Mapping[str, Any]]:
    """Return the figures of these rows by id.

    Raises
    ------
    LedgerReplaced
        If a row is not there, or is another one.
    tasks.formats.OtherFormat
        If a newer release wrote it.
    """
    query = sa.select(OBSERVATIONS).where(OBSERVATIONS.c.id.in_(keys))
    rows = {row["id"]: row for row in link.execute(query).mappings()}
    found = {}
    for row_id, key in keys.items():
        row = rows.get(row_id)
        if row is None or row["model"] != model or tuple(row[name] for name in NATURAL_KEY) != key:
            raise LedgerReplaced(
                f"{model}: row {row_id} of observations is not the one that was read before: the "
                "ledger was replaced by another one; run this again"
            )
        found[row_id] = load_figures(model, row_id, row["figures"])
    return found


def load_figures(model: str, row_id: int, raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return figures as this code reads them. Raises formats.OtherFormat, which names the row."""
    what = f"figures of observation {row_id} of {model}"
    return formats.load_stored(what, raw, formats.COLUMNS["figures"])

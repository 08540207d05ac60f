"""When each row of a ledger was recorded, and at which link of the chain. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tasks.ledger.chain import Trail
from tasks.ledger.records import Observation

_Record = TypeVar("_Record")


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """The wall clock at which a row was recorded, and its position in the chain."""

    recorded_at: datetime
    position: int


def stamped(trail: Trail, table: str, kind: type[_Record]) -> list[tuple[_Record, Stamp]]:
    """Return a table's rows as records in the order of the chain.

    A row that is gone, or that no link names, is not among them; `chain_fault` finds it.
    """
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]  # every record is a dataclass
    return [
        (kind(**{n: row[n] for n in names}), _stamp(row, link.position))
        for link in trail.links
        if link.table_name == table and (row := trail.rows.get((table, link.row_id))) is not None
    ]


def _stamp(row: Mapping[str, Any], position: int) -> Stamp:
    return Stamp(recorded_at=row["recorded_at"], position=position)


class ObservationStamps:
    """The stamps of observations, by what tells one from every other of its model."""

    def __init__(self, written: Iterable[tuple[Observation, Stamp]]) -> None:
        self._found = {_key(seen, seen.revision): stamp for seen, stamp in written}

    def of(self, seen: Observation) -> Stamp | None:
        """Return the stamp of an observation; None if the chain does not name it."""
        return self._found.get(_key(seen, seen.revision))

    def first(self, seen: Observation) -> Stamp | None:
        """Return the stamp of the first word on its window under its version, or None."""
        return self._found.get(_key(seen, 0))

    def lag(self, seen: Observation) -> timedelta | None:
        """Return how long after a window's end this word on it was recorded; None if unknown."""
        stamp = self.of(seen)
        return None if stamp is None else stamp.recorded_at - seen.window_end


def _key(seen: Observation, revision: int) -> tuple[int, datetime, datetime, int]:
    return seen.version, seen.window_start, seen.window_end, revision

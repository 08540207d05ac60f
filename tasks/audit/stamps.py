"""When each row of a ledger was recorded, and at which link of the chain. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from tasks.ledger.chain import Trail

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

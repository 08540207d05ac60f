"""The statistics of a window as rows of a table, and the one that leads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.drift.catalogue import unit, words
from tasks.ledger.records import Observation


@dataclass(frozen=True, kw_only=True)
class StatisticRow:
    """One statistic of a window, as a row of a table."""

    title: str
    unit: str
    value: float | None
    limit: float | None
    effect: float | None
    noise: float | None
    pressure: float | None
    blind: bool


def statistic_row(statistic: Mapping[str, Any]) -> StatisticRow:
    """Return a statistic of the ledger as a row."""
    name, of = str(statistic["name"]), statistic.get("of")
    return StatisticRow(
        title=words(name) if of is None else f"{words(name)} of {of}",
        unit=unit(name).strip(),
        value=statistic.get("value"),
        limit=statistic.get("limit"),
        effect=statistic.get("effect"),
        noise=statistic.get("noise"),
        pressure=statistic.get("pressure"),
        blind=bool(statistic.get("blind")),
    )


def leading(seen: Observation) -> str:
    """Return the title of the statistic that is farthest above or nearest to its limit."""
    able = [s for s in seen.numbers.statistics if "pressure" in s and not s.get("blind")]
    if not able:
        return ""
    first = max(able, key=lambda s: float(s["pressure"]))
    of = first.get("of")
    return words(first["name"]) if of is None else f"{words(first['name'])} of {of}"

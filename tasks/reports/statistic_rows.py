"""The statistics of a window as rows of a table, and the one that leads. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.drift.catalogue import called, unit
from tasks.drift.statistic import Statistic
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


def statistic_row(statistic: Statistic) -> StatisticRow:
    """Return a statistic as a row."""
    return StatisticRow(
        title=called(statistic),
        unit=unit(statistic.name).strip(),
        value=statistic.value,
        limit=statistic.limit,
        effect=statistic.effect,
        noise=statistic.noise,
        pressure=statistic.pressure,
        blind=statistic.blind,
    )


def leading(seen: Observation) -> str:
    """Return the title of the statistic that is farthest above or nearest to its limit."""
    able = [s for s in seen.numbers.statistics if not s.blind]
    return called(max(able, key=lambda s: s.pressure)) if able else ""

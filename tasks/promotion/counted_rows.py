"""What the rows of a proposal hold, counted before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tasks.promotion.outlook import Outlook


@dataclass(frozen=True, kw_only=True)
class RowsSinceChange:
    """The labelled rows by class `since` there is something to learn, an event time."""

    since: datetime
    labelled: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class CountedRows:
    """The `rows` that were read, of these the `quarantined` and the `labelled` ones.

    `fit`, `calibrate` and `judge` are the parts that training cuts them into: the labelled rows by
    class. `warnings` are on rows, and on classes that a part has too few of. `change` is there to
    retrain for an episode, `outlook` to retrain a champion.
    """

    rows: int
    quarantined: int
    labelled: int
    fit: Mapping[str, int]
    calibrate: Mapping[str, int]
    judge: Mapping[str, int]
    warnings: tuple[str, ...] = ()
    change: RowsSinceChange | None = None
    outlook: Outlook | None = None

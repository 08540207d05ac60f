"""How often a model's latches opened in a year of event time, beside what the spec allows. Pure.

Whether an opening was a false alarm nobody can know as it happens. What is known is what ended it:
a promotion, or nothing, if windows were steady again by themselves or because something upstream
was repaired.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Literal

from tasks.bounds import shifted
from tasks.drift.latch import LatchHistory, Reading
from tasks.ledger.status import Status

OpeningEnd = Literal["promoted", "closed", "open"]

YEAR = timedelta(days=365)
HEALTHY_YEARS = 0.95  # that have no more openings than `by_chance`
_MANY = 100  # from which on a sum of so many small terms is a normal one


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """A latch's openings in the year before the newest window's end, by what ended them.

    `allowed` is what the spec allows a year on a healthy model, `by_chance` the most openings that
    such a model has in 19 of 20 years.
    """

    openings: dict[OpeningEnd, int]
    allowed: float
    by_chance: int


def alarms_of(known: Status) -> dict[str, Alarms]:
    """Return the alarms of the latch of the drift and of the calibrated probabilities, by name."""
    drift = known.spec.drift
    return {
        "drift": _alarms(known, known.history, drift.false_alarms_per_year),
        "calibration": _alarms(known, known.calibration, drift.calibration.false_alarms_per_year),
    }


def _alarms(known: Status, history: LatchHistory, allowed: float) -> Alarms:
    until = known.observed_until
    since = None if until is None else shifted(until, -YEAR)
    ends = [end for at, end in _openings(known, history) if since is None or at > since]
    counts: dict[OpeningEnd, int] = {
        "promoted": ends.count("promoted"),
        "closed": ends.count("closed"),
        "open": ends.count("open"),
    }
    return Alarms(openings=counts, allowed=allowed, by_chance=most_by_chance(allowed))


def _openings(known: Status, history: LatchHistory) -> Iterator[tuple[datetime, OpeningEnd]]:
    """Yield when the latch opened (the end of the window), and what ended it."""
    opened: Reading | None = None
    episode: str | None = None
    for reading, latch in history.steps:
        if latch.episode == episode:
            continue
        if opened is not None:
            moved = _promoted_between(known, opened, reading)
            yield opened.window.end, "promoted" if moved else "closed"
        episode, opened = latch.episode, reading if latch.episode else None
    if opened is not None:
        # Without a window since then only a promotion ends an episode.
        yield opened.window.end, "open" if history.now.episode == episode else "promoted"


def _promoted_between(known: Status, opened: Reading, reading: Reading) -> bool:
    return any(
        opened.window.start < p.effective_from <= reading.window.start for p in known.promotions
    )


def most_by_chance(expected: float) -> int:
    """Return the most events of a year that chance explains, where so many are expected.

    The 95th percentile of Poisson's distribution.

    Examples
    --------
    >>> [most_by_chance(expected) for expected in (0.5, 1, 2, 12)]
    [2, 3, 5, 18]
    """
    if expected > _MANY:
        return math.ceil(NormalDist(expected, math.sqrt(expected)).inv_cdf(HEALTHY_YEARS))
    count, term = 0, math.exp(-expected)
    total = term
    while total < HEALTHY_YEARS:
        count += 1
        term *= expected / count
        total += term
    return count

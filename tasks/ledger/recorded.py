"""When the words on a model's windows were recorded, on the wall clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from tasks.ledger.records import Observation

# What tells a word on a window from every other of its model: version, window, revision.
ObservationKey: TypeAlias = tuple[int, datetime, datetime, int]


@dataclass(frozen=True)
class RecordedTimes:
    """The time at which each observation of a model was recorded."""

    found: Mapping[ObservationKey, datetime]

    @classmethod
    def of_words(cls, words: Iterable[tuple[Observation, datetime]]) -> RecordedTimes:
        """Return the times of observations, each with the one at which it was recorded."""
        return cls({_key(seen, seen.revision): moment for seen, moment in words})

    def of(self, seen: Observation) -> datetime | None:
        """Return when this word on a window was recorded; None if the ledger does not tell."""
        return self.found.get(_key(seen, seen.revision))

    def first(self, seen: Observation) -> datetime | None:
        """Return when the first word on its window under its version was recorded, or None."""
        return self.found.get(_key(seen, 0))

    def lag(self, seen: Observation) -> timedelta | None:
        """Return how long after its end a window was first recorded; None if unknown."""
        return _after(seen, self.first(seen))

    def label_lag(self, seen: Observation) -> timedelta | None:
        """Return how long after its end the labels that a window has were recorded.

        None if it has none, or if that is unknown.
        """
        return _after(seen, self.of(seen)) if seen.figures.get("labelled") else None


def _after(seen: Observation, moment: datetime | None) -> timedelta | None:
    return None if moment is None else moment - seen.window_end


def _key(seen: Observation, revision: int) -> ObservationKey:
    return seen.version, seen.window_start, seen.window_end, revision

"""The name of an episode, and of a proposal for one: what the parts of these texts mean. Pure.

An episode is one opening of a latch. The ledger, Airflow's runs and people know it by its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

Asks = Literal["retrain", "recalibrate", "rollback"]
_STAMP = "%Y%m%dT%H%M"
_NAME = re.compile(
    r"(?P<model>.+)\.v(?P<version>\d+)(?P<calibration>\.recalibrate)?\.(?P<since>\d{8}T\d{4})"
    r"(?P<back>\.rollback)?"
)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A version's latch that opened, what it asks for, and the start of the first breaching window.

    Examples
    --------
    >>> str(Episode.parse("churn.v1.20260112T0000"))
    'churn.v1.20260112T0000'
    >>> Episode.parse("churn.v1.recalibrate.20260112T0000").asks
    'recalibrate'
    >>> Episode.parse("manual__2026-01-12") is None
    True
    """

    model: str
    version: int
    asks: Asks
    since: datetime

    def __str__(self) -> str:
        calibration = ".recalibrate" if self.asks == "recalibrate" else ""
        back = ".rollback" if self.asks == "rollback" else ""
        return f"{self.model}.v{self.version}{calibration}.{self.since:{_STAMP}}{back}"

    @classmethod
    def parse(cls, name: str | None) -> Episode | None:
        """Return the episode of a name; None if it is no episode's."""
        found = _NAME.fullmatch(name or "")
        if found is None:
            return None
        try:
            since = datetime.strptime(found["since"], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            return None
        asks = "recalibrate" if found["calibration"] else "rollback" if found["back"] else "retrain"
        return cls(
            model=found["model"], version=int(found["version"]), asks=cast(Asks, asks), since=since
        )


def breach_of(episode: str | None) -> datetime | None:
    """Return the start of an episode's first breaching window; None if the name is no episode's."""
    found = Episode.parse(episode)
    return None if found is None else found.since


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A proposal for an episode, by the episode's name: the first is number 1.

    Examples
    --------
    >>> Numbered.parse("churn.v1.20260112T0000.2")
    Numbered(episode='churn.v1.20260112T0000', number=2)
    """

    episode: str
    number: int

    def __str__(self) -> str:
        return f"{self.episode}.{self.number}"

    @classmethod
    def parse(cls, proposal: str | None) -> Numbered | None:
        """Return what a proposal's name says; None if it is about no episode."""
        episode, _, number = (proposal or "").rpartition(".")
        if Episode.parse(episode) is None or not (number.isascii() and number.isdecimal()):
            return None
        return cls(episode=episode, number=int(number))

    @property
    def asks(self) -> Asks:
        """Return what the episode asks for."""
        episode = Episode.parse(self.episode)
        return "retrain" if episode is None else episode.asks

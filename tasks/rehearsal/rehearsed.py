"""What a rehearsal found, as figures alone: kept as JSON, read back, and shown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tasks.formats import KEY, Loaders, Raw, fill, load_stored
from tasks.rehearsal.scenarios import DRIFT
from tasks.rehearsal.watched import NOT_ASKED, Told

REHEARSAL_FORMAT = 1
_OLDER = "rehearse again"


@dataclass(frozen=True)
class StretchShown:
    """Where an incident began: its champion's rule, the incident, and the end, ISO 8601 in UTC."""

    first: str
    onset: str
    end: str
    rows: int


@dataclass(frozen=True)
class ScenarioLine:
    """A scenario and what was told in each stretch; `problem` says why it was not played."""

    scenario: str
    sentence: str
    of_labels: bool
    right: tuple[str, ...]
    told: tuple[Told, ...] = ()
    problem: str | None = None

    @property
    def alarmed(self) -> tuple[Told, ...]:
        return tuple(t for t in self.told if t.alarm is not None)

    @property
    def missed(self) -> tuple[int, ...]:
        """Return the stretches in which harm was done and nobody was told."""
        return tuple(
            place
            for place, t in enumerate(self.told)
            if t.alarm is None and (self.of_labels or t.harmful)
        )

    @property
    def untold(self) -> str:
        """Return what named a right cause, in the windows' records alone, where nobody was told."""
        names = [name for place in self.missed for name in self.told[place].causes]
        right = [name for name in names if name.partition(" ")[0] in self.right]
        return ", ".join(dict.fromkeys(right))

    @property
    def windows(self) -> float | None:
        """Return the median of the windows until the alarm."""
        return median(t.windows or 0 for t in self.alarmed) if self.alarmed else None

    @property
    def rows(self) -> float | None:
        """Return the median of the rows until the alarm."""
        return median(t.rows or 0 for t in self.alarmed) if self.alarmed else None

    @property
    def wrong(self) -> float | None:
        """Return the median of the wrong decisions more, until the alarm or the end."""
        known = [t.wrong for t in self.told if t.wrong is not None]
        return median(known) if known else None

    @property
    def kinds(self) -> str:
        """Return what alarmed, the most frequent first."""
        return ", ".join(n for n, _ in Counter(t.alarm or "" for t in self.alarmed).most_common())

    @property
    def causes(self) -> str:
        """Return what named a cause, the most frequent first; `plain drift` if nothing did."""
        named = Counter(name for t in self.told for name in t.causes)
        if not named and self.alarmed:
            return DRIFT
        return ", ".join(name for name, _ in named.most_common())

    @property
    def gates_told(self) -> str:
        """Return what became of the candidates, in counts; the names of the gates are in `told`."""
        asked = [t.gates.partition(":")[0] for t in self.told if t.gates != NOT_ASKED]
        counts = Counter(asked).most_common()
        if len(asked) == len(self.told) and len(counts) == 1:
            return counts[0][0]
        return ", ".join(f"{n} {what}" for what, n in counts) or NOT_ASKED


@dataclass(frozen=True)
class TriedSetting:
    """Settings, in how many of the missed stretches they alarm, and in how many without incident.

    `false_alarms` is of all stretches that were played.
    """

    name: str
    settings: Mapping[str, Any]
    closes: int
    false_alarms: int


@dataclass(frozen=True)
class BlindSpot:
    """A scenario that was missed in some stretches, and what was tried against it."""

    scenario: str
    missed: int
    tried: tuple[TriedSetting, ...] = ()

    @property
    def closed_by(self) -> tuple[TriedSetting, ...]:
        """Return what closes it in every stretch, the fewest false alarms first."""
        found = [t for t in self.tried if t.closes == self.missed]
        return tuple(sorted(found, key=lambda t: t.false_alarms))


@dataclass(frozen=True)
class Rehearsed:
    """A rehearsal: the spec, where it was played, each scenario, and the blind spots."""

    model: str
    spec: str
    settings: Mapping[str, Any]
    every: str
    windows: int
    seed: int
    looked_at: int
    stretches: tuple[StretchShown, ...]
    lines: tuple[ScenarioLine, ...]
    blind: tuple[BlindSpot, ...] = ()
    tried: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready values, with the number of their format."""
        return {KEY: REHEARSAL_FORMAT, **asdict(self)}


def load_rehearsal(raw: Raw) -> Rehearsed:
    """Return the rehearsal that `to_json` gave.

    Raises
    ------
    OtherFormat
        If a release wrote it that this one does not read.
    """
    return load_stored("rehearsal", raw, _LOADERS, _OLDER)


def _loaded(raw: Raw) -> Rehearsed:
    parts = {
        "stretches": _each(StretchShown, raw["stretches"]),
        "lines": tuple(_line(one) for one in raw["lines"]),
        "blind": tuple(_blind(one) for one in raw["blind"]),
        "tried": tuple(raw["tried"]),
    }
    return fill(Rehearsed, {**raw, **parts})


def _line(raw: Raw) -> ScenarioLine:
    told = [fill(Told, {**one, "causes": tuple(one["causes"])}) for one in raw["told"]]
    return fill(ScenarioLine, {**raw, "right": tuple(raw["right"]), "told": tuple(told)})


def _blind(raw: Raw) -> BlindSpot:
    return fill(BlindSpot, {**raw, "tried": _each(TriedSetting, raw["tried"])})


def _each(kind: type[Any], raws: Sequence[Raw]) -> tuple[Any, ...]:
    return tuple(fill(kind, one) for one in raws)


_LOADERS: Loaders[Rehearsed] = {1: _loaded}

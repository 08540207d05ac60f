"""The two latches of a model, folded from its rows: that of the drift, and the calibration's. Pure.

Both are folds over all that was observed. Who kept what they remember at some window needs only the
rows from then on; see `LatchMemory`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from tasks.drift.latch import LatchHistory, LatchMemory, Pause, Reading, fold
from tasks.drift.verdict import Verdict
from tasks.ledger.reader import ModelRows
from tasks.ledger.records import REFUSALS, Observation
from tasks.spec.model import ModelSpec
from tasks.spec.windows import labels_awaited_until

_NO_MEMORY = LatchMemory()


@dataclass(frozen=True)
class Memories:
    """What both latches remember."""

    drift: LatchMemory = _NO_MEMORY
    calibration: LatchMemory = _NO_MEMORY

    def go_before(self, spec: ModelSpec, rows: ModelRows) -> bool:
        """Return whether the folds of these rows, and of those before, may go on from here."""
        return self.drift.goes_before(
            _readings(spec, rows.observations), _pauses(rows, "retrain")
        ) and self.calibration.goes_before(
            _held(rows.observations), _pauses(rows, "retrain", "recalibrate")
        )


@dataclass(frozen=True)
class Latches:
    """The history of either latch."""

    drift: LatchHistory
    calibration: LatchHistory

    @property
    def memories(self) -> Memories:
        """Return what they remember after the newest window."""
        return Memories(self.drift.memory, self.calibration.memory)


def latches_of(
    spec: ModelSpec, rows: ModelRows, after: Memories, until: datetime | None = None
) -> Latches:
    """Return the latches after the rows.

    Parameters
    ----------
    after
        What was folded of the windows before them.
    until
        The event time up to which windows were observed, if not that of the newest of the rows.
    """
    seen, name = rows.observations, spec.model
    # Who refuses a rollback, or to recalibrate, says nothing about a retrain.
    drift = _pauses(rows, "retrain")
    both = _pauses(rows, "retrain", "recalibrate")
    return Latches(
        fold(name, _readings(spec, seen), drift, spec.latch, after=after.drift, until=until),
        fold(name, _held(seen), both, spec.latch, "recalibrate", after.calibration),
    )


def _readings(spec: ModelSpec, seen: Iterable[Observation]) -> list[Reading]:
    return [
        Reading(o.window, o.version, cast(Verdict, o.verdict), o.pressure, awaited_until(spec, o))
        for o in seen
    ]


def awaited_until(spec: ModelSpec, seen: Observation) -> datetime | None:
    """Return until when labels are awaited that a window was judged without; None if none are."""
    late = spec.label.late and seen.scores_alone
    return labels_awaited_until(spec, seen.window) if late else None


def _held(seen: Iterable[Observation]) -> list[Reading]:
    # Without labels nothing is said of probabilities, so that none of these waits for any.
    return [
        Reading(o.window, o.version, cast(Verdict, said.verdict), said.pressure)
        for o in seen
        if (said := o.held) is not None
    ]


def _pauses(rows: ModelRows, *kinds: str) -> list[Pause]:
    # The first champion ends no episode, so that nothing rests after it.
    promoted = [Pause(p.effective_from, promotion=True) for p in rows.promotions[1:]]
    # Who refuses what a person proposed says nothing about an episode.
    asked = {p.proposal for p in rows.proposals if p.kind in kinds and p.episode}
    refused = (d for d in rows.decisions if d.answer in REFUSALS and d.proposal in asked)
    return [*promoted, *(Pause(d.effective_from, promotion=False) for d in refused)]

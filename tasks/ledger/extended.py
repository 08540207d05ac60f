"""A status together with newer windows: what was folded is not folded again. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from tasks.drift.latch import LatchHistory
from tasks.ledger.latches import Latches
from tasks.ledger.reader import ModelRows
from tasks.ledger.records import Promotion
from tasks.ledger.status import Status, folded


def extended(known: Status, new: ModelRows) -> Status | None:
    """Return the status of all rows; None if what is new belongs before what was folded.

    Parameters
    ----------
    new
        All rows of the model, but of the observations only those that rule and `known` lacks.
    """
    seen = known.observations
    if not seen:
        return None
    last = seen[-1].window
    if any(o.window <= last for o in new.observations):
        return None
    if reigned(known.promotions, last.start) != reigned(new.promotions, last.start):
        return None
    memories = Latches(known.history, known.calibration).memories
    if not memories.go_before(known.spec, new):
        return None
    found = folded(known.spec, new, memories)
    return replace(
        found,
        observations=[*seen, *new.observations],
        history=_joined(known.history, found.history),
        calibration=_joined(known.calibration, found.calibration),
    )


def _joined(early: LatchHistory, late: LatchHistory) -> LatchHistory:
    return replace(late, steps=early.steps + late.steps)


class BegunReign(NamedTuple):
    """Which promotion made a version champion, and from which event time on."""

    number: int
    version: int
    since: datetime


def reigned(promotions: list[Promotion], until: datetime) -> tuple[BegunReign, ...]:
    """Return the reigns that had begun at a moment of event time."""
    return tuple(
        BegunReign(p.number, p.version, p.effective_from)
        for p in promotions
        if p.effective_from <= until
    )

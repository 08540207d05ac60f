"""Observations and candidates in memory, for the tests that compare two versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.drift.loss_sums import MeanLosses
from tasks.ledger.records import Candidate, Observation, Promotion

DAY = timedelta(days=1)
SPREAD = {"rows": 400.0, "degrees": 10, "design_effects": {"hinge": 1.0}}


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + (number - 1) * DAY


@dataclass(frozen=True, kw_only=True)
class Move:
    """A move of the champion: to which version, from which one, and the day it holds from."""

    to: int
    since: int
    before: int | None = None


MOVES = (Move(to=1, since=1), Move(to=2, since=5, before=1))


def promotion(move: Move, number: int = 1) -> Promotion:
    return Promotion(
        model="churn",
        number=number,
        proposal=f"p{number}",
        version=move.to,
        expected=move.before,
        effective_from=day(move.since),
        by="ada",
        reason="why",
    )


def promotions_of(moves: Iterable[Move]) -> list[Promotion]:
    return [promotion(move, number) for number, move in enumerate(moves, 1)]


def mean_losses(hinge: float, variance: float, rows: int) -> MeanLosses:
    """Return the losses of rows with this hinge loss; the others do not matter here."""
    return MeanLosses(
        accuracy=1 - hinge / 2,
        hinge_loss=hinge,
        violation_rate=hinge / 2,
        error_rate=hinge / 2,
        squared_hinge=hinge**2 + variance,
        margin=1 - hinge,
        unsigned_margin=1.0,
        loss_tail_ratio=1.0,
        effective_rows=rows,
    )


def seen(
    version: int,
    number: int,
    loss: float | None = None,
    verdict: str = "steady",
    data: str = "data",
    spec: str = "spec",
) -> Observation:
    """Return what a day of 400 rows says; a loss means that it is labelled, with deviation 1/2."""
    figures: dict[str, Any] = {"accepted": 400, "labelled": 0}
    if loss is not None and verdict != "insufficient":
        losses = vars(mean_losses(loss, 0.25, 400))
        figures |= {"labelled": 400, "hinge_loss": loss, "accuracy": 1 - loss / 2, "losses": losses}
    pressure = {"steady": 0.5, "drifting": 1.5, "insufficient": None}[verdict]
    return Observation(
        model="churn",
        version=version,
        window_start=day(number),
        window_end=day(number + 1),
        spec_digest=spec,
        data_digest=data,
        verdict=verdict,
        reason="why",
        pressure=pressure,
        figures=figures,
    )


def candidate(version: int, until: int = 1, proposal: str = "p") -> Candidate:
    parts: dict[str, Any] = {
        "model": "churn",
        "proposal": proposal,
        "version": version,
        "run_id": "run",
        "artifact_digest": "files",
        "evidence": "evidence",
        "spec_digest": "spec",
        "data_digest": "data",
        "trained_until": day(until),
        "metrics": {},
        "gates": [],
        "reference": {"spread": SPREAD},
    }
    known = Candidate.__dataclass_fields__
    return Candidate(**{name: value for name, value in parts.items() if name in known})

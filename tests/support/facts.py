"""What is known of a made-up model, without a ledger: for the fold from rows to messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tasks.ledger.reader import ModelRows
from tasks.ledger.records import Decision, Freeze, Observation, Promotion, Proposal, Question
from tasks.ledger.status import folded
from tasks.ledger.when_recorded import Attempt, WhenRecorded
from tasks.notices.events import ModelFacts
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.forging import ASKED
from tests.support.stood import FIRST, at, seen

LATE = timedelta(minutes=5)  # from a window's end until it is recorded
NOTIFY = {"owners": "info", "on_call": "page"}


def spec_told(**parts: Any) -> ModelSpec:
    return ModelSpec.model_validate({**CHURN, "notify": NOTIFY, **parts})


def question(proposal: str, step: str = "retrain") -> Question:
    return Question(model="churn", proposal=proposal, step=step, evidence="shown", asked=ASKED)


def moved(number: int, version: int, proposal: str) -> Promotion:
    return Promotion(
        model="churn",
        number=number,
        proposal=proposal,
        version=version,
        expected=number - 1 or None,
        effective_from=FIRST,
        by="grace",
        reason="drift",
    )


def freeze(number: int, state: Any) -> Freeze:
    return Freeze(
        model="churn",
        number=number,
        state=state,
        by="ada",
        reason="the source is repaired",
        recorded_at=at(31 + number),
    )


def facts(
    pressures: Sequence[float | None] = (),
    *,
    spec: ModelSpec | None = None,
    windows: Iterable[Observation] = (),
    recorded: Mapping[int, datetime] | None = None,
    proposals: Sequence[Proposal] = (),
    decisions: Sequence[Decision] = (),
    promotions: Sequence[Promotion] = (),
    freezes: Sequence[Freeze] = (),
    asked: Mapping[str, datetime] | None = None,
    attempts: Sequence[Attempt] = (),
) -> ModelFacts:
    """Return a model with a window for each pressure; `recorded` has the times of some of them.

    `asked` says when each proposal was asked about, at its first step.
    """
    observations = [*(seen(n, pressure) for n, pressure in enumerate(pressures)), *windows]
    when = recorded or {}
    first = moved(1, 1, "p1")
    rows = ModelRows(
        observations=observations,
        proposals=list(proposals),
        decisions=list(decisions),
        candidates=[],
        promotions=[first, *promotions],
        freezes=list(freezes),
    )
    return ModelFacts(
        status=folded(spec or spec_told(), rows),
        recorded=WhenRecorded(
            windows={
                (o.window, o.version): when.get((o.window_start - at(0)).days, o.window_end + LATE)
                for o in observations
            },
            asked={(name, "retrain"): moment for name, moment in (asked or {}).items()},
            decided={(d.proposal, d.step): FIRST for d in decisions},
            promoted=dict.fromkeys((1, *(p.number for p in promotions)), FIRST),
            questions=tuple(question(name) for name in asked or {}),
            attempts=tuple(attempts),
        ),
    )

"""What was decided over some windows: the same form for a ledger and for a replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.flows import handover
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.registry import tracking
from tasks.replay.history import History
from tasks.replay.played import Played
from tasks.spec.model import ModelSpec

UNTRAINED = "untrained"

Latches = list[tuple[str, str | None]]


@dataclass(frozen=True)
class Decided:
    """Windows with version, verdict and latch at their end; what was asked for; who came back.

    A retrain is the end of its window, its episode, what came of it (the version, or why not), and
    the spans that were tried, the taken one last; a rollback the end of its window, from and to.
    """

    windows: list[tuple[datetime, int, str]]
    pressures: list[float | None]
    latches: Latches
    retrains: list[tuple[datetime, str, int | str, tuple[str, ...]]]
    rollbacks: list[tuple[datetime, int, int, str]]


def in_replay(history: History, played: Played) -> Decided:
    """Return what a replay decided."""
    ends = [w.end for w in history.windows]
    return Decided(
        [(history.windows[s.index].start, s.version, s.judgement.verdict) for s in played.steps],
        [s.judgement.pressure for s in played.steps],
        [(s.latch.state, s.latch.episode) for s in played.steps],
        [
            (
                ends[r.index],
                r.episode,
                UNTRAINED if r.untrained else r.version or str(r.refusal),
                _spans([t.name for t in r.tried], r.taken),
            )
            for r in played.retrains
        ],
        [(ends[r.index], r.version, r.target, r.reason) for r in played.rollbacks],
    )


def in_ledger(spec: ModelSpec, ledger: Ledger, latches: Latches | None = None) -> Decided:
    """Return what the ledger and MLflow have of a model, as the DAGs left it.

    Parameters
    ----------
    latches
        As they stood at the windows' ends, where labels that came later changed them since.
    """
    known = status.read(spec, ledger)
    steps = [(latch.state, latch.episode) for _, latch in known.history.steps]
    asked = [p for p in known.proposals if p.episode]
    return Decided(
        [(o.window_start, o.version, o.verdict) for o in known.observations],
        [o.pressure for o in known.observations],
        latches or steps,
        [
            (p.trained_until, p.episode or "", _came_of(known, p.proposal), _tried(p.proposal))
            for p in asked
            if p.kind == "retrain"
        ],
        [
            (p.effective_from, p.expected or 0, p.version, p.reason.partition("better: ")[2])
            for p in known.promotions
            if p.reason.startswith("rollback")
        ],
    )


def _came_of(known: status.Status, proposal: str) -> int | str:
    promoted = [p.version for p in known.promotions if p.proposal == proposal]
    if promoted:
        return promoted[0]
    ends = [d for d in known.decisions if d.proposal == proposal and d.answer in status.ENDS]
    (end,) = ends
    return UNTRAINED if end.answer == "ended" else end.comment


def _tried(proposal: str) -> tuple[str, ...]:
    client: Any = tracking.connect()
    model = proposal.partition(".")[0]
    place = [client.get_experiment_by_name(model).experiment_id]
    runs = client.search_runs(place, f"tags.`gatelatch.proposal` = '{proposal}'")
    if not runs:
        return ()
    learning = handover.LEARNING.get(runs[0].info.run_id)
    return () if learning is None else _spans([t.name for t in learning.tried], learning.taken)


def _spans(tried: list[str], taken: int) -> tuple[str, ...]:
    return (*tried, tried[taken]) if tried else ()

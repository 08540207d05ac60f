"""Where a model stands, as programs read it."""

from __future__ import annotations

from typing import Any

from tasks import formats
from tasks.ledger.logged_names import champion_logged_as
from tasks.ledger.status import Status
from tasks.ledger.unlabelled import awaited, gap_of


def status_json(status: Status, newest: int | None = None) -> dict[str, Any]:
    """Return the status as JSON-ready values, with its newest windows; times in ISO 8601, UTC."""
    first = 0 if newest is None else max(len(status.observations) - newest, 0)
    shown = zip(status.observations[first:], status.history.steps[first:], strict=True)
    now, gap = status.history.now, gap_of(status)
    rests = now.rests_until
    return {
        "model": status.spec.model,
        "champion": status.champion,
        "logged_as": champion_logged_as(status),
        "frozen": _frozen(status),
        "latch": {
            "state": now.state,
            "episode": now.episode,
            "rests_until": rests.isoformat() if rests else None,
        },
        "due": status.due,
        "nobody_asked": status.silence,
        "waits": status.patience,
        "given_up": status.given_up,
        "advice": status.advice,
        "labels": {
            "awaited": [o.window_start.isoformat() for o in awaited(status)],
            "overdue": [window.start.isoformat() for window in gap.windows] if gap else [],
        },
        "calibration": {
            "state": status.calibration.now.state,
            "episode": status.calibration.now.episode,
        },
        "windows": [
            {
                "start": o.window_start.isoformat(),
                "end": o.window_end.isoformat(),
                "version": o.version,
                "verdict": o.verdict,
                "reason": o.reason,
                "pressure": o.pressure,
                "latch": latch.state,
                "episode": latch.episode,
                **{n: v for n, v in o.figures.items() if n not in (formats.KEY, formats.CODE)},
            }
            for o, (_, latch) in shown
        ],
        "proposals": [
            {
                "proposal": p.proposal,
                "kind": p.kind,
                "reason": p.reason,
                "episode": p.episode,
                "proposer": p.proposer,
                "live": p in status.live,
                "decisions": [
                    {"step": d.step, "answer": d.answer, "by": d.by, "comment": d.comment}
                    for d in status.decisions
                    if d.proposal == p.proposal
                ],
            }
            for p in status.proposals
        ],
        "promotions": [
            {
                "number": p.number,
                "version": p.version,
                "expected": p.expected,
                "effective_from": p.effective_from.isoformat(),
                "by": p.by,
                "reason": p.reason,
            }
            for p in status.promotions
        ],
    }


def _frozen(status: Status) -> dict[str, Any] | None:
    if (freeze := status.frozen) is None:
        return None
    return {
        "by": freeze.by,
        "since": freeze.recorded_at.isoformat(),
        "reason": freeze.reason,
        "due_when_thawed": status.due_when_thawed,
    }

"""What the owner's own DAG is started with, once a retrain that it has to make was approved."""

from __future__ import annotations

from typing import Any

from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision, Observation, Proposal
from tasks.promotion.proposals import proposal_of
from tasks.reports.brief_links import REPORTS, seen_windows, slug
from tasks.spec.model import ModelSpec

FORMAT = 1  # of the conf; the owner's code reads it
_WINDOWS = 12  # newest ones


def evidence_for_owner(spec: ModelSpec, proposal: str) -> dict[str, Any] | None:
    """Return the evidence on an approved retrain as JSON: figures and addresses, never a row.

    None if the ledger has no retrain of this name that was left to the owner.
    """
    known = status.read(spec, Ledger.open())
    mine = {d.step: d for d in known.decisions if d.proposal == proposal}
    left, approved = mine.get("train"), mine.get("retrain")
    if left is None or left.answer != "failed" or approved is None:
        return None
    asked = proposal_of(known, proposal)
    return {
        "format": FORMAT,
        "model": spec.model,
        **_asked(asked),
        **_answered(approved),
        "brief": f"{REPORTS}/{spec.model}/{slug(proposal)}/retrain.html",
        "windows": [_window(o) for o in seen_windows(known, asked)[-_WINDOWS:]],
        "then": left.comment,
    }


def _asked(asked: Proposal) -> dict[str, Any]:
    return {
        "proposal": asked.proposal,
        "reason": asked.reason,
        "episode": asked.episode,
        "champion": asked.champion,
        "rows_from": asked.trained_from.isoformat(),
        "rows_until": asked.trained_until.isoformat(),
    }


def _answered(approved: Decision) -> dict[str, Any]:
    return {
        "approved_by": approved.by,
        "comment": approved.comment,
        "evidence": approved.evidence,
    }


def _window(seen: Observation) -> dict[str, Any]:
    statistics = seen.numbers.statistics
    return {
        "from": seen.window_start.isoformat(),
        "until": seen.window_end.isoformat(),
        "version": seen.version,
        "verdict": seen.verdict,
        "reason": seen.reason,
        "pressure": seen.pressure,
        "statistics": {
            s.name if s.of is None else f"{s.name} {s.of}": {"value": s.value, "limit": s.limit}
            for s in statistics
            if not s.blind
        },
    }

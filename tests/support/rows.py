"""Rows of a ledger, as tests of all rooms write them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tasks.drift.statistic import Statistic
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Candidate, Decision, Observation, Proposal


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def observation(number: int = 1, **parts: Any) -> Observation:
    figures = {"rows": 300, "statistics": [vars(Statistic("ks", 0.1 + 0.2, 0.1, 0.05))]}
    plain: dict[str, Any] = {
        "model": "churn",
        "version": 1,
        "window_start": day(number),
        "window_end": day(number + 1),
        "spec_digest": "spec",
        "data_digest": "data",
        "verdict": "steady",
        "reason": "within its limits",
        "pressure": 0.1,
        "figures": figures,
    }
    return Observation(**plain | parts)


def proposal(name: str = "p1", **parts: Any) -> Proposal:
    plain = Proposal(
        model="churn",
        proposal=name,
        kind="retrain",
        reason="drift",
        episode=None,
        champion=1,
        trained_from=day(1),
        trained_until=day(9),
        proposer="otto",
        spec_digest="spec",
    )
    return replace(plain, **parts)


def decision(answer: str = "approved", **parts: Any) -> Decision:
    plain = Decision(
        model="churn",
        proposal="p1",
        step="retrain",
        answer=answer,
        by="ada",
        comment="fine",
        evidence="shown",
        effective_from=day(9),
    )
    return replace(plain, **parts)


def registered(**parts: Any) -> Candidate:
    gates = [{"name": "hinge_loss", "verdict": "passed"}]
    figures: dict[str, Any] = {"metrics": {"rows": 3}, "reference": {"grid": [0.1, 1e-9]}}
    plain = Candidate(
        model="churn",
        proposal="p1",
        version=1,
        run_id="run",
        artifact_digest="files",
        spec_digest="spec",
        data_digest="data",
        trained_until=day(9),
        gates=gates,
        **figures,
    )
    return replace(plain, **parts)


def promote(ledger: Ledger, version: int, expected: int | None, since: int = 9) -> Any:
    return ledger.promote(
        "churn",
        f"p{version}",
        version=version,
        expected=expected,
        effective_from=day(since),
        by="ada",
        reason="drift",
    )

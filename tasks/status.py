"""Where a model stands: its ledger, folded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from tasks.drift import Verdict
from tasks.latch import History, Pause, Reading, fold
from tasks.ledger import Ledger
from tasks.records import Candidate, Decision, Observation, Promotion, Proposal
from tasks.spec import ModelSpec
from tasks.windows import window_at

REFUSALS = ("rejected", "no_answer", "invalid", "failed", "superseded", "withdrawn")


@dataclass(frozen=True)
class Status:
    """A model's observations under its champions, its proposals, and what they fold to."""

    spec: ModelSpec
    observations: list[Observation]
    proposals: list[Proposal]
    decisions: list[Decision]
    candidates: list[Candidate]
    promotions: list[Promotion]
    history: History

    @property
    def champion(self) -> int | None:
        return self.promotions[-1].version if self.promotions else None

    @property
    def live(self) -> list[Proposal]:
        """Return the proposals that still wait for a person or a step."""
        promoted = {p.proposal for p in self.promotions}
        refused = {d.proposal for d in self.decisions if d.answer in REFUSALS}
        return [p for p in self.proposals if p.proposal not in promoted | refused]

    @property
    def due(self) -> str | None:
        """Return the proposal that an open episode waits for: its name and the next number.

        None while the latch is closed or rests, or another proposal is live.
        """
        latch = self.history.now
        if latch.state != "open" or self.live:
            return None
        earlier = [p for p in self.proposals if p.episode == latch.episode]
        return f"{latch.episode}.{len(earlier) + 1}"

    def effective_from(self, until: datetime) -> datetime:
        """Return the start of the first window after all observed ones and after `until`."""
        newest = max([until, *(o.window_end for o in self.observations)])
        window = window_at(self.spec.window, newest)
        return window.start if window.start == newest else window.end


def read(spec: ModelSpec, ledger: Ledger) -> Status:
    """Return the status of a model as the ledger has it now."""
    observations = ledger.observations(spec.model)
    decisions = ledger.decisions(spec.model)
    proposals = ledger.proposals(spec.model)
    promotions = ledger.promotions(spec.model)
    readings = [
        Reading(o.window, o.version, cast(Verdict, o.verdict), o.pressure) for o in observations
    ]
    pauses = [Pause(p.effective_from, promotion=True) for p in promotions]
    # Who refuses a rollback says nothing about a retrain.
    others = {p.proposal for p in proposals if p.kind != "rollback"}
    pauses += [
        Pause(d.effective_from, promotion=False)
        for d in decisions
        if d.answer in REFUSALS and d.proposal in others
    ]
    return Status(
        spec,
        observations,
        proposals,
        decisions,
        ledger.candidates(spec.model),
        promotions,
        fold(spec.model, readings, pauses, spec.latch),
    )


def as_json(status: Status) -> dict[str, Any]:
    """Return the status as JSON-ready values; times in ISO 8601, UTC."""
    now = status.history.now
    rests = now.rests_until
    return {
        "model": status.spec.model,
        "champion": status.champion,
        "latch": {
            "state": now.state,
            "episode": now.episode,
            "rests_until": rests.isoformat() if rests else None,
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
                **o.figures,
            }
            for o, (_, latch) in zip(status.observations, status.history.steps, strict=True)
        ],
        "proposals": [
            {
                "proposal": p.proposal,
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

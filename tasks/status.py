"""Where a model stands: its ledger, folded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from tasks.drift import Verdict
from tasks.latch import History, Latch, Pause, Reading, fold
from tasks.ledger import Ledger
from tasks.records import Candidate, Decision, Observation, Promotion, Proposal
from tasks.spec import ModelSpec
from tasks.windows import window_at

REFUSALS = ("rejected", "no_answer", "invalid", "failed", "superseded", "withdrawn")


@dataclass(frozen=True)
class Status:
    """A model's observations under its champions, its proposals, and what they fold to.

    `history` is the latch of the drift, `calibration` that of the calibrated probabilities.
    """

    spec: ModelSpec
    observations: list[Observation]
    proposals: list[Proposal]
    decisions: list[Decision]
    candidates: list[Candidate]
    promotions: list[Promotion]
    history: History
    calibration: History

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
    def latch(self) -> Latch:
        """Return the latch that is acted on: the drift's, unless only the calibration's is open.

        A retrain calibrates anyway, so while the margins drift nobody is asked to recalibrate.
        """
        drift, calibration = self.history.now, self.calibration.now
        acts = self.spec.drift.calibration.propose and calibration.state == "open"
        return calibration if acts and drift.episode is None else drift

    @property
    def due(self) -> str | None:
        """Return the proposal that an open episode waits for: its name and the next number.

        None while the latch is closed or rests, or another proposal is live; but nobody has to
        answer whether to recalibrate before a retrain is proposed.
        """
        drifts = self.latch.episode == self.history.now.episode
        holds = [p for p in self.live if not (drifts and p.kind == "recalibrate")]
        if self.latch.state != "open" or holds:
            return None
        earlier = [p for p in self.proposals if p.episode == self.latch.episode]
        return f"{self.latch.episode}.{len(earlier) + 1}"

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
    held = [
        Reading(o.window, o.version, said["verdict"], said["pressure"])
        for o in observations
        if (said := o.figures.get("calibration")) is not None
    ]
    promoted = [Pause(p.effective_from, promotion=True) for p in promotions]

    def pauses(*kinds: str) -> list[Pause]:
        asked = {p.proposal for p in proposals if p.kind in kinds}
        refused = (d for d in decisions if d.answer in REFUSALS and d.proposal in asked)
        return [*promoted, *(Pause(d.effective_from, promotion=False) for d in refused)]

    return Status(
        spec,
        observations,
        proposals,
        decisions,
        ledger.candidates(spec.model),
        promotions,
        # Who refuses a rollback, or to recalibrate, says nothing about a retrain.
        fold(spec.model, readings, pauses("retrain"), spec.latch),
        fold(spec.model, held, pauses("retrain", "recalibrate"), spec.latch, "recalibrate"),
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
                **o.figures,
            }
            for o, (_, latch) in zip(status.observations, status.history.steps, strict=True)
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

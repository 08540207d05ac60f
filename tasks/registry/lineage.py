"""What a model was made by: its lineage. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks import formats
from tasks.classifier import preprocessing
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.gate_result import GateResult
from tasks.ledger.evidence import digest
from tasks.ledger.records import Proposal
from tasks.registry.made_with import MadeWith
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

if TYPE_CHECKING:
    from tasks.validation.checked_rows import Checked


@dataclass(frozen=True, kw_only=True)
class MadeOf:
    """The rows that a candidate was made of: those of a window, and how many were accepted."""

    digest: str
    window: Window
    rows: int
    accepted: int

    def to_json(self) -> dict[str, Any]:
        return {
            "digest": self.digest,
            "from": self.window.start.isoformat(),
            "until": self.window.end.isoformat(),
            "rows": self.rows,
            "accepted": self.accepted,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> MadeOf:
        ends = (datetime.fromisoformat(kept[end]) for end in ("from", "until"))
        return cls(
            digest=kept["digest"],
            window=Window(*ends),
            rows=kept["rows"],
            accepted=kept["accepted"],
        )


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """All that is needed to train a candidate again, and what it was accepted on.

    The same candidate gives the same lineage, so it may be part of its digest.

    Parameters
    ----------
    features
        Names of the columns by kind.
    label, classes
        The label's column and its classes, in the spec's order.
    training, calibration
        These parts of the spec, as they were then.
    structure, preprocessing
        Digests of what the model does to the features: its steps, and what they learnt.
    """

    model: str
    owner: str
    proposal: str
    kind: str
    reason: str
    proposer: str
    champion: int | None
    spec_digest: str
    data: MadeOf
    features: Mapping[str, Sequence[str]]
    label: str
    classes: Sequence[int | str]
    training: Mapping[str, Any]
    calibration: Mapping[str, Any]
    structure: str
    preprocessing: str
    metrics: CandidateMetrics
    gates: tuple[GateResult, ...]
    made_with: MadeWith

    @property
    def tags(self) -> dict[str, str]:
        """Return its short parts, to search for."""
        data = self.data.to_json()
        return {
            "proposal": self.proposal,
            "champion": str(self.champion or ""),
            "spec_digest": self.spec_digest,
            "data_digest": self.data.digest,
            "trained_from": data["from"],
            "trained_until": data["until"],
            "preprocessing_digest": self.preprocessing,
            "seed": str(self.training["seed"]),
            "code_version": self.made_with.code,
            "commit": self.made_with.commit or "unknown",
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as the registered model's file holds it."""
        return {
            formats.KEY: formats.LINEAGE_FORMAT,
            "model": self.model,
            "owner": self.owner,
            "proposal": self.proposal,
            "kind": self.kind,
            "reason": self.reason,
            "proposer": self.proposer,
            "champion": self.champion,
            "spec_digest": self.spec_digest,
            "data": self.data.to_json(),
            "features": {kind: list(names) for kind, names in self.features.items()},
            "label": {"column": self.label, "classes": list(self.classes)},
            "training": dict(self.training),
            "calibration": dict(self.calibration),
            "preprocessing": {"structure": self.structure, "digest": self.preprocessing},
            "metrics": self.metrics.to_json(),
            "gates": [gate.to_json() for gate in self.gates],
            **self.made_with.to_json(),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Lineage:
        """Return what `to_json` gave."""
        alike = ("model", "owner", "proposal", "kind", "reason", "proposer", "champion")
        return cls(
            **{name: kept[name] for name in alike},
            spec_digest=kept["spec_digest"],
            data=MadeOf.from_json(kept["data"]),
            features=kept["features"],
            label=kept["label"]["column"],
            classes=kept["label"]["classes"],
            training=kept["training"],
            calibration=kept["calibration"],
            structure=kept["preprocessing"]["structure"],
            preprocessing=kept["preprocessing"]["digest"],
            metrics=CandidateMetrics.from_json(kept["metrics"]),
            gates=tuple(map(GateResult.from_json, kept["gates"])),
            made_with=MadeWith.from_json(kept),
        )


def lineage_of_candidate(
    spec: ModelSpec,
    proposal: Proposal,
    rows: Checked,
    model: Any,
    metrics: CandidateMetrics,
    gates: Sequence[GateResult],
    made_with: MadeWith,
) -> Lineage:
    """Return the lineage of a calibrated candidate; `rows` is what their check found."""
    return Lineage(
        model=spec.model,
        owner=spec.owner.name,
        proposal=proposal.proposal,
        kind=proposal.kind,
        reason=proposal.reason,
        proposer=proposal.proposer,
        champion=proposal.champion,
        spec_digest=spec.digest,
        data=MadeOf(
            digest=rows.data_digest,
            window=Window(proposal.trained_from, proposal.trained_until),
            rows=rows.rows,
            accepted=rows.accepted,
        ),
        features={k: list(v) for k, v in spec.features.model_dump().items() if v},
        label=spec.label.column,
        classes=list(spec.label.classes),
        training=spec.training.model_dump(mode="json"),
        calibration=spec.calibration.model_dump(mode="json"),
        structure=digest(preprocessing.structure(model)),
        preprocessing=digest(preprocessing.preprocessing_of(model)),
        metrics=metrics,
        gates=tuple(gates),
        made_with=made_with,
    )

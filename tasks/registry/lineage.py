"""What a model was made by: its lineage. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks import formats
from tasks.classifier import preprocessing
from tasks.ledger.evidence import digest
from tasks.ledger.records import Proposal
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    from tasks.validation.checked_rows import Checked


def lineage(
    spec: ModelSpec,
    proposal: Proposal,
    rows: Checked,
    model: Any,
    metrics: Mapping[str, Any],
    gates: list[Mapping[str, Any]],
    made_with: Mapping[str, Any],
) -> dict[str, Any]:
    """Return all that is needed to train a candidate again, and what it was accepted on.

    Ready for JSON; the same candidate gives the same lineage, so it may be part of its digest.

    Parameters
    ----------
    rows
        What the check of the training window found.
    model
        The calibrated candidate.
    made_with
        `code`, `commit`, `python` and `packages`: the versions that it was trained with.
    """
    return {
        formats.KEY: formats.LINEAGE_FORMAT,
        "model": spec.model,
        "owner": spec.owner.name,
        "proposal": proposal.proposal,
        "kind": proposal.kind,
        "reason": proposal.reason,
        "proposer": proposal.proposer,
        "champion": proposal.champion,
        "spec_digest": spec.digest,
        "data": {
            "digest": rows.data_digest,
            "from": proposal.trained_from.isoformat(),
            "until": proposal.trained_until.isoformat(),
            "rows": rows.rows,
            "accepted": rows.accepted,
        },
        "features": {k: list(v) for k, v in spec.features.model_dump().items() if v},
        "label": {"column": spec.label.column, "classes": list(spec.label.classes)},
        "training": spec.training.model_dump(mode="json"),
        "calibration": spec.calibration.model_dump(mode="json"),
        "preprocessing": {
            "structure": digest(preprocessing.structure(model)),
            "digest": digest(preprocessing.preprocessing_of(model)),
        },
        "metrics": dict(metrics),
        "gates": [dict(gate) for gate in gates],
        **made_with,
    }


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the short parts of a lineage, to search for."""
    return {
        "proposal": record["proposal"],
        "champion": str(record["champion"] or ""),
        "spec_digest": record["spec_digest"],
        "data_digest": record["data"]["digest"],
        "trained_from": record["data"]["from"],
        "trained_until": record["data"]["until"],
        "preprocessing_digest": record["preprocessing"]["digest"],
        "seed": str(record["training"]["seed"]),
        "code_version": record["code"],
        "commit": record["commit"] or "unknown",
    }

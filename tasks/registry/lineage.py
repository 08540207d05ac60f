"""What a model was made by: its lineage, and digests of how it prepares its features. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks import formats
from tasks.classifier.encoding import scaler_of
from tasks.ledger.evidence import digest
from tasks.ledger.records import Proposal
from tasks.spec.model import ModelSpec


def lineage(
    spec: ModelSpec,
    proposal: Proposal,
    rows: Mapping[str, Any],
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
        What the validation of the training window found.
    model
        The calibrated candidate.
    made_with
        `code`, `commit`, `python` and `packages`: the versions that it was trained with.
    """
    return {
        formats.KEY: formats.LINEAGE,
        "model": spec.model,
        "owner": spec.owner.name,
        "proposal": proposal.proposal,
        "kind": proposal.kind,
        "reason": proposal.reason,
        "proposer": proposal.proposer,
        "champion": proposal.champion,
        "spec_digest": spec.digest,
        "data": {
            "digest": rows["data_digest"],
            "from": proposal.trained_from.isoformat(),
            "until": proposal.trained_until.isoformat(),
            "rows": rows["rows"],
            "accepted": rows["accepted"],
        },
        "features": {k: list(v) for k, v in spec.features.model_dump().items() if v},
        "label": {"column": spec.label.column, "classes": list(spec.label.classes)},
        "training": spec.training.model_dump(mode="json"),
        "calibration": spec.calibration.model_dump(mode="json"),
        "preprocessing": {
            "structure": preprocessing_structure(model),
            "digest": preprocessing_digest(model),
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


def preprocessing_structure(model: Any) -> str:
    """Return the digest of the transformations' kinds, features and their order.

    Parameters
    ----------
    model
        A fitted pipeline, or a calibrated one.
    """
    return digest(_steps(model))


def preprocessing_digest(model: Any) -> str:
    """Return the digest of the transformations, features, their order, and what was fitted."""
    fitted = [_fitted(step) for _, step, _ in _transform(model).transformers_]
    return digest([_steps(model), fitted])


def _transform(model: Any) -> Any:
    return getattr(model, "estimator", model)[0]


def _steps(model: Any) -> list[Any]:
    return [
        [name, _kind(step), [columns] if isinstance(columns, str) else list(columns)]
        for name, step, columns in _transform(model).transformers_
    ]


def _kind(step: Any) -> str:
    if not hasattr(step, "steps"):
        return type(step).__name__
    scaler, cap = scaler_of(step)
    return f"{type(scaler).__name__}, capped at {cap!r}"


def _fitted(step: Any) -> Any:
    """Return what a transformation learnt, ready for JSON; floats to the last bit."""
    if hasattr(step, "steps"):
        step, _ = scaler_of(step)
    if hasattr(step, "mean_"):
        return [step.mean_.tolist(), step.scale_.tolist()]
    if hasattr(step, "categories_"):
        return [[str(value) for value in values] for values in step.categories_]
    if hasattr(step, "vocabulary_"):
        places = {word: int(place) for word, place in step.vocabulary_.items()}
        return [places, step.idf_.tolist()] if hasattr(step, "idf_") else [places]
    return str(step)

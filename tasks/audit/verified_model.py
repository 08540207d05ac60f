"""The verified model of a version: what the registry holds is what the ledger accepted."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tasks.audit import verification
from tasks.classifier import older_classes
from tasks.ledger.ledger import Ledger
from tasks.registry import registry
from tasks.spec.model import ModelSpec


def champion_of(spec: ModelSpec, ledger: Ledger, version: int) -> Any:
    """Return what `model_of` does, answering with the spec's classes if it is older than some."""

    model = model_of(spec, ledger, version)
    known = classes_of(spec, ledger, version)
    return older_classes.answering(model, known, spec.label.names)


def classes_of(spec: ModelSpec, ledger: Ledger, version: int) -> tuple[str, ...]:
    """Return the classes that a version was made for, in the order of their index.

    Raises as `model_of` does.
    """
    candidate = ledger.version(spec.model, version)
    if candidate.spec_digest == spec.digest:
        return tuple(map(str, spec.label.classes))
    return _classes(spec.model, version, candidate.artifact_digest)


@lru_cache(maxsize=16)
def _classes(model: str, version: int, artifact_digest: str) -> tuple[str, ...]:

    return tuple(map(str, registry.lineage_of(model, version, artifact_digest).classes))


def model_of(spec: ModelSpec, ledger: Ledger, version: int) -> Any:
    """Return a version's calibrated model.

    Raises
    ------
    tasks.spec.part.SpecError
        If the ledger knows no such version.
    tasks.registry.tracking.RegistryRefused
        If what the registry holds is not what the ledger accepted, or is not there.
    tasks.ledger.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """

    verification.require(ledger, spec.model)
    digest = ledger.version(spec.model, version).artifact_digest
    return registry.load_version(spec.model, version, digest)

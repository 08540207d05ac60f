"""The verified model of a version: what the registry holds is what the ledger accepted."""

from __future__ import annotations

from typing import Any

from tasks.ledger import Ledger
from tasks.observing import candidate_of
from tasks.spec import ModelSpec


def model_of(spec: ModelSpec, ledger: Ledger, version: int) -> Any:
    """Return a version's calibrated model.

    Raises
    ------
    tasks.spec.SpecError
        If the ledger knows no such version.
    tasks.registry.RegistryError
        If what the registry holds is not what the ledger accepted, or is not there.
    tasks.chain.LedgerRefused
        If the ledger is not as it was recorded by who might.
    """
    from tasks import registry, verification

    verification.require(ledger, spec.model)
    digest = candidate_of(spec, ledger, version).artifact_digest
    return registry.load(spec.model, version, digest)

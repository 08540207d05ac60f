"""What production calls the versions of a model that is never here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks.ledger.records import Candidate
from tasks.spec.model import ModelSpec


def name_in_production(candidate: Candidate) -> str:
    """Return what production calls a version: the name that it was handed in under."""
    return str(candidate.metrics.get("logged_as") or candidate.version)


def logged_names(
    spec: ModelSpec, candidates: Iterable[Candidate], version: int | None
) -> Mapping[str, int] | None:
    """Return the version that each name in `source.version_column` stands for.

    None of a model that is here: its versions go by their numbers. Recalibrating makes another
    version of the same name. Its rows are those of the given `version` if it has that name, and
    else of the newest.
    """
    if not spec.margins_only:
        return None
    known = sorted(candidates, key=lambda c: (c.version == version, c.version))
    return {name_in_production(candidate): candidate.version for candidate in known}

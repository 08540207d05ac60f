"""What production calls the versions of a model that is never here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks.ledger.records import Candidate, TwoCandidates
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec


def name_in_production(candidate: Candidate) -> str:
    """Return what production calls a version: the name that it was handed in under."""
    return str(candidate.metrics.get("logged_as") or candidate.version)


def champion_logged_as(known: Status) -> str | None:
    """Return what production calls the champion of a model that is never here; else None."""
    try:
        champion = known.candidate(known.champion) if known.spec.margins_only else None
    except TwoCandidates:  # nobody can tell which, and whoever acts on it is told so
        return None
    return None if champion is None else name_in_production(champion)


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

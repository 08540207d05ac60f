"""What the ledger refuses because it says otherwise already."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from tasks.errors import Final
from tasks.ledger.records import ENDS, Candidate, Promotion
from tasks.ledger.stored import as_stored
from tasks.ledger.tables import CANDIDATES, DECISIONS


class Conflict(Final):
    """The ledger says otherwise: another row stands where this one would."""


def require_same(earlier: Any, later: Any, but: tuple[str, ...]) -> None:
    """Raise Conflict if two records under one key differ in anything `but` these fields."""
    names = [f.name for f in fields(earlier) if f.name not in but]
    differ = [n for n in names if as_stored(getattr(earlier, n)) != as_stored(getattr(later, n))]
    if differ:
        raise Conflict(
            f"{later.model}: a different {type(later).__name__.lower()} is already recorded under "
            f"the same key (differs in {', '.join(differ)}); the first one stands"
        )


def require_new(link: sa.Connection, candidate: Candidate) -> None:
    """Raise Conflict if the version is the candidate of another proposal."""
    c = CANDIDATES.c
    query = sa.select(c.proposal).where(
        c.model == candidate.model,
        c.version == candidate.version,
        c.proposal != candidate.proposal,
    )
    if found := link.execute(query).first():
        raise Conflict(
            f"{candidate.model}: version {candidate.version} is the candidate of {found.proposal}; "
            f"{candidate.proposal} needs a version of its own. Propose again"
        )


def require_standing(link: sa.Connection, promotion: Promotion) -> None:
    """Raise Conflict if the proposal was ended since it was looked at."""
    d = DECISIONS.c
    query = sa.select(d.step, d.answer, d.by).where(
        d.model == promotion.model, d.proposal == promotion.proposal, d.answer.in_(ENDS)
    )
    if found := link.execute(query).first():
        raise Conflict(
            f"{promotion.proposal}: {found.step} was {found.answer} by {found.by} meanwhile; "
            "nothing was changed"
        )


def require_champion(
    promotions: list[Promotion], model: str, version: int, expected: int | None
) -> None:
    """Raise Conflict if another version is champion by now: says which and who promoted it."""
    newest = promotions[-1] if promotions else None
    champion = newest.version if newest else None
    if champion != expected:
        who = f" (promoted by {newest.by}, {newest.proposal})" if newest else ""
        raise Conflict(
            f"{model}: version {version} was compared with {version_named(expected)}, but the "
            f"champion is {version_named(champion)}{who}; nothing was changed. Propose again."
        )


def version_named(version: int | None) -> str:
    """Return how a champion is called in messages."""
    return "no champion" if version is None else f"version {version}"

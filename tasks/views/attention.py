"""What a model needs first, and which models need somebody most. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from tasks.views.standing import Standing, late

Attention: TypeAlias = Literal[
    "unreadable",
    "drifting",
    "asked",
    "owed",
    "overdue",
    "unseen",
    "unlabelled",
    "breach",
    "frozen",
    "untrained",
    "resting",
    "steady",
]
# From the worst to the best: what needs a person first. A frozen model that drifts stands with the
# others that drift; one with which nothing else is wrong stands before the calm, to be thawed.
ORDER: tuple[Attention, ...] = (
    *("unreadable", "drifting", "asked", "owed", "overdue", "unseen", "unlabelled", "breach"),
    *("frozen", "untrained", "resting", "steady"),
)
WORDS: Mapping[Attention, str] = {
    "unreadable": "cannot be read",
    "drifting": "drifting",
    "asked": "waits for an answer",
    "owed": "waits for a model",
    "overdue": "overdue",
    "unseen": "not seen",
    "unlabelled": "labels overdue",
    "breach": "one breach",
    "frozen": "frozen",
    "untrained": "no champion",
    "resting": "resting",
    "steady": "steady",
}


def attention(standing: Standing, now: datetime) -> Attention:
    """Return what a model needs first."""
    needs: tuple[tuple[Attention, bool], ...] = (
        ("unreadable", standing.problem is not None),
        ("drifting", standing.latch == "open"),
        ("asked", any(w.asked for w in standing.waits)),
        ("owed", standing.owed is not None),
        ("overdue", late(standing, now) is not None),
        ("untrained", standing.champion is None),
        ("unseen", standing.verdict in ("insufficient", None)),
        ("unlabelled", standing.labels_overdue),
        ("breach", standing.verdict == "drifting"),
        ("frozen", standing.frozen is not None),
        ("resting", standing.latch == "resting"),
    )
    return next((need for need, is_so in needs if is_so), "steady")


def states(standing: Standing, now: datetime) -> set[Attention]:
    """Return the states under which a model is found: what it needs first; `frozen` besides."""
    needs = attention(standing, now)
    return {needs, "frozen"} if standing.frozen else {needs}


def worst_first(standings: Iterable[Standing], now: datetime) -> list[Standing]:
    """Return them by what they need, then by pressure, then by name."""

    def key(one: Standing) -> tuple[int, float, str]:
        return ORDER.index(attention(one, now)), -(one.pressure or 0.0), one.model

    return sorted(standings, key=key)

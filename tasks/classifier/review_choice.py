"""Which rows people are asked to label, and with what probability each was chosen. Pure.

At most as many rows are held as are asked for, of each slice. The order of the rows, and how they
come in batches, makes no difference: ties and chance are decided by a keyed hash of the row's key.

References: Lewis & Gale, *A sequential algorithm for training text classifiers*, SIGIR 1994
(nearest to the border); Sharma & Bilgic, *Evidence-based uncertainty sampling*, Data Mining and
Knowledge Discovery 31, 2017 (conflicting evidence); Cohen & Kaplan, *Summarizing data using
bottom-k sketches*, PODC 2007 (the rows with the smallest hashes are a random sample).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

import numpy as np

from tasks.arrays import Floats
from tasks.errors import Final
from tasks.spec.review_options import Preference

MOST_SLICES = 100
_Row = TypeVar("_Row")


class TooManySlices(Final):
    """A column that tells more slices apart than can be held."""


@dataclass(frozen=True, kw_only=True)
class Chosen(Generic[_Row]):
    """A chosen row. `probability` is 1 where no chance was in it, and others had none."""

    row: _Row
    probability: float


def drawn(keys: Iterable[object], secret: str) -> Floats:
    """Return a number between 0 and 1 for each key: the same always, and otherwise like chance."""
    name = blake2b(secret.encode()).digest()
    return np.array(
        [
            int.from_bytes(blake2b(str(key).encode(), digest_size=8, key=name).digest()) / 2**64
            for key in keys
        ]
    )


def conflict(contributions: Floats) -> Floats:
    """Return how strong the weaker side of the evidence is; shape (n, F) → (n,)."""
    toward = np.maximum(contributions, 0.0).sum(axis=1)
    against = -np.minimum(contributions, 0.0).sum(axis=1)
    return np.asarray(np.minimum(toward, against))


class Choice(Generic[_Row]):
    """Rows so far, of which the first in order are held.

    Parameters
    ----------
    prefer, at_most
        As `review` in a spec has them.
    """

    def __init__(self, prefer: Preference, at_most: int) -> None:
        self._prefer, self._most = prefer, at_most
        self._held: dict[str, list[tuple[float, float, str, _Row]]] = {}
        self._seen: dict[str, int] = {}

    @property
    def candidates(self) -> int:
        """Return how many rows could have been chosen."""
        return sum(self._seen.values())

    def places(self, order: Floats, chance: Floats, slices: Sequence[str]) -> list[int]:
        """Return which rows of a batch may be among the chosen ones; only these need be made."""
        found: list[int] = []
        groups: dict[str, list[int]] = {}
        for place, name in enumerate(slices):
            groups.setdefault(name, []).append(place)
        for name, mine in groups.items():
            self._seen[name] = self._seen.get(name, 0) + len(mine)
            at = np.array(mine)
            found += at[np.lexsort((chance[at], order[at]))[: self._most]].tolist()
        if len(self._seen) > MOST_SLICES:
            raise TooManySlices(
                f"review.over tells more than {MOST_SLICES} slices apart; name a column with fewer "
                "values, or prefer: random"
            )
        return found

    def add(self, order: float, chance: float, key: str, name: str, row: _Row) -> None:
        """Add a row of `places`."""
        held = self._held.setdefault(name, [])
        entry = (order, chance, key, row)
        held.append(entry)
        if len(held) >= 2 * self._most:
            held[:] = heapq.nsmallest(self._most, held, key=lambda e: e[:3])

    def chosen(self) -> list[Chosen[_Row]]:
        """Return the chosen rows, in their order.

        Raises
        ------
        TooManySlices
            If there are fewer rows to choose than slices: one would have no chance at all.
        """
        if len(self._seen) > self._most:
            raise TooManySlices(
                f"review.over tells {len(self._seen)} slices apart, and review.at_most is "
                f"{self._most}; raise it"
            )
        shares = _shares(self._seen, self._most)
        found = []
        for name in sorted(self._held):
            share, there = shares[name], self._seen[name]
            by_chance = self._prefer in ("random", "slices")
            probability = share / there if by_chance else 1.0
            best = heapq.nsmallest(share, self._held[name], key=lambda e: e[:3])
            found += [(e[:3], Chosen(row=e[3], probability=probability)) for e in best]
        return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _shares(there: dict[str, int], at_most: int) -> dict[str, int]:
    """Return how many rows of each slice are chosen: alike, and what one lacks goes to others."""
    left, found = at_most, {}
    for place, name in enumerate(sorted(there, key=lambda name: (there[name], name))):
        found[name] = min(there[name], left // (len(there) - place))
        left -= found[name]
    return found

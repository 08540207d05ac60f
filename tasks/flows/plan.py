"""Who is measured on a window: which versions, and each on whose rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.data.served_by import ScoredBy
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The versions of a window: its own, and those beside it.

    Its own is its `champion`, or another one that a what-if asks for; beside that one there is
    none. `served` scored enough of the rows to be measured on these alone; None where rows do not
    say who scored them. `margins_only`: each version has margins of its own rows, and of no other.
    """

    window: Window
    champion: int | None
    version: int
    beside: tuple[int, ...] = ()
    served: frozenset[int] | None = None
    margins_only: bool = False

    def logged(self, version: int) -> bool:
        """Return whether the margins that production logged are those of a version."""
        return version == self.champion or version in (self.served or ())

    def rows_of(self, version: int) -> int | None:
        """Return whose rows a version is measured on: its own if it has any, else the champion's.

        None stands for all rows.
        """
        if self.served is None:
            return None
        return version if self.margins_only or self.logged(version) else self.champion


def serving(spec: ModelSpec, scored_by: ScoredBy | None) -> frozenset[int] | None:
    """Return the versions that scored enough of a window's rows to be measured on their own."""
    if scored_by is None:
        return None
    enough = (v for v, rows in scored_by.versions.items() if rows >= spec.window.min_rows)
    return frozenset(enough)

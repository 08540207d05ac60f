"""Candidate and champion side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_Answer = TypeVar("_Answer")
U = TypeVar("U")


@dataclass(frozen=True, kw_only=True)
class Contest(Generic[_Answer]):
    """What is the candidate's and what is the champion's: models, answers, or what was learnt.

    `champion` is None at the bootstrap, and where the champion has nothing of the kind.
    """

    candidate: _Answer
    champion: _Answer | None = None

    def map(self, of: Callable[[_Answer], U]) -> Contest[U]:
        """Return what a function says of either."""
        return Contest(
            candidate=of(self.candidate),
            champion=None if self.champion is None else of(self.champion),
        )


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A calibrated model that is champion or would be.

    `spec_digest` is that of the spec it was trained with, None if not known; `seconds` what scoring
    a row took it, None if nobody measured.
    """

    model: Any
    spec_digest: str | None = None
    seconds: float | None = None

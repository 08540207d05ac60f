"""Two versions on the same windows: how much worse one of them is, and what chance shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from tasks.drift.loss_sums import MeanLosses
from tasks.drift.reference import Spread, spread_from_json
from tasks.ledger.records import Candidate, Observation
from tasks.spec.windows import Window


@dataclass(frozen=True)
class Pair:
    """One window, observed under two versions by the same spec and from the same data."""

    new: Observation
    old: Observation

    @property
    def window(self) -> Window:
        return self.new.window

    @property
    def labelled(self) -> bool:
        """Return whether both have enough labels to compare losses."""
        return all(o.numbers.losses is not None for o in (self.new, self.old))


@dataclass(frozen=True)
class Rise:
    """The rise of the mean hinge loss from the old version to the new, and its standard error."""

    value: float
    error: float


def pairs(
    new: Iterable[Observation], old: Iterable[Observation], since: datetime
) -> tuple[Pair, ...]:
    """Return the windows from `since` on (event time) that both were observed on, oldest first."""
    theirs = {_key(o): o for o in old if o.window_start >= since}
    both = [Pair(o, theirs[_key(o)]) for o in new if _key(o) in theirs]
    return tuple(sorted(both, key=lambda pair: pair.window))


def _key(observation: Observation) -> tuple[Window, str, str]:
    return observation.window, observation.spec_digest, observation.data_digest


def rise(compared: Sequence[Pair], new: Candidate, old: Candidate) -> Rise:
    """Return the rise over labelled windows, each weighed by the new version's labels.

    A window that is hard for one is hard for the other: the difference is taken within each. Its
    error counts independent rows, by the design effect of either reference; where both scored the
    same rows it is too large, as it passes over that their losses go together.
    """
    total = sum(_losses(pair.new).effective_rows for pair in compared)
    value = error = 0.0
    for pair in compared:
        mine, theirs = _losses(pair.new), _losses(pair.old)
        share = mine.effective_rows / total
        value += share * (mine.hinge_loss - theirs.hinge_loss)
        both = mean_variance(mine, accepted_spread(new)) + mean_variance(
            theirs, accepted_spread(old)
        )
        error += share**2 * both
    return Rise(value, sqrt(error))


def mean_variance(losses: MeanLosses, spread: Spread) -> float:
    """Return the variance of a window's mean hinge loss under a version of that reference."""
    # More rows than a block of the reference held are not known to tell more than that block did.
    own = min(losses.effective_rows, spread.rows)
    return spread.design_effects["hinge"] * losses.hinge_variance / own


def accepted_spread(version: Candidate) -> Spread:
    """Return how much blocks of a version's reference differ."""
    return spread_from_json(version.reference)


def _losses(observation: Observation) -> MeanLosses:
    losses = observation.numbers.losses
    assert losses is not None  # of labelled pairs
    return losses

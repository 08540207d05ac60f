"""Whether a window's champion does worse than a constant answer: whatever it was held to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from tasks.drift.catalogue import CONSTANT
from tasks.drift.statistic import Chance, Statistic
from tasks.drift.summary import Summary
from tasks.spec.policy_options import Drift


def least_hinge(share: float) -> float:
    """Return the mean hinge loss of the best constant where the largest class has this share.

    A constant that prefers that class by d ≥ 0 loses p·max(0, 1 - d) + (1 - p)·(1 + d): 1 at d = 0
    and 2·(1 - p) at d = 1, straight in between and rising beyond (margins of more classes are
    Crammer & Singer's, 2001).
    """
    return min(1.0, 2 * (1 - share))


def statistic(
    window: Summary, accepted: Summary, policy: Drift, chance: Chance
) -> Iterator[Statistic]:
    """Yield by how much the mean hinge loss exceeds that of the best constant.

    The smaller excess of two: over all rows, and in the mean of the classes, which class weights
    aim at. Of one class a constant knows everything, so that nothing is said.
    """
    parts = [losses for losses in window.classes.values() if losses.weight]
    if len(parts) < 2:
        return
    losses = window.losses
    share = max(part.weight for part in parts) / losses.weight
    overall = losses.hinge_loss - least_hinge(share)
    by_class = sum(part.hinge_loss for part in parts) / len(parts) - 1
    n = losses.effective_rows
    noise = chance.critical_rise(n, 1e12) * sqrt(
        accepted.losses.hinge_variance
        * chance.reference.spread.design_effects[CONSTANT.quantity]
        / chance.own(n)
    )
    yield CONSTANT.measured(min(overall, by_class), noise, policy)

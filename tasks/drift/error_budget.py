"""How fast a champion burns its error budget: the excess of a metric above its reference. Pure.

The budget is what the owner can bear of the metric above the champion's reference, as a mean over
the SLO window. Burn rates over a short and a longer part of it follow the Google SRE workbook
(Beyer et al., 2018, chapter 5, "multiwindow, multi-burn-rate alerts"), in event time: the shortest
part is the newest window, since nothing is known more often.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import ceil
from typing import Any

from tasks.drift.loss_sums import Losses, MeanLosses
from tasks.spec.gate_options import Costs
from tasks.spec.policy_options import Slo
from tasks.spec.windows import Window

FAST = 3.0  # times the budget, over a sixth of the SLO window: half of the budget
_PARTS = 6


@dataclass(frozen=True, kw_only=True)
class MetricSeen:
    """The metric of one window under a version; None where the window says nothing of it.

    That is a window without enough labels, or an insufficient one. `reference` is the metric on the
    rows on which the version was accepted.
    """

    window: Window
    version: int
    value: float | None
    reference: float | None

    @property
    def excess(self) -> float | None:
        """Return the excess above the reference, at least zero; None if it is not known."""
        if self.value is None or self.reference is None:
            return None
        return max(self.value - self.reference, 0.0)


@dataclass(frozen=True, kw_only=True)
class BudgetSpent:
    """Where the budget of a version stands after a window.

    Burn rates are in budgets: at 1 the budget is spent exactly when the SLO window ends. `whole` is
    also the share of the budget that is spent.

    Parameters
    ----------
    windows, sixth_windows
        How many windows the SLO window and its sixth have.
    judged
        How many windows under this version the budget rests on, `windows` at the most: the newest
        that said something, none of them older than twice the SLO window.
    unseen
        How many windows said nothing since the newest that did: they leave all as it stood.
    last, sixth, whole
        Burn rates over the newest judged window, a sixth of the SLO window, and all of it. Windows
        that a new version has not seen yet have burnt nothing.
    """

    window: Window
    version: int
    windows: int
    sixth_windows: int
    judged: int
    unseen: int
    last: float
    sixth: float
    whole: float

    @property
    def pages(self) -> bool:
        """Return whether half of the budget went in a sixth of the window, and still goes."""
        return self.judged > 0 and min(self.last, self.sixth) > FAST

    @property
    def exhausted(self) -> bool:
        """Return whether more than the whole budget is spent."""
        return self.whole > 1

    def to_json(self) -> dict[str, Any]:
        """Return the rates and counts, ready for JSON."""
        return {
            "windows": self.windows,
            "sixth_windows": self.sixth_windows,
            "judged": self.judged,
            "unseen": self.unseen,
            "last": self.last,
            "sixth": self.sixth,
            "whole": self.whole,
            "pages": self.pages,
            "exhausted": self.exhausted,
        }


def looked_at(windows: int) -> int:
    """Return how many of the newest windows the budget rests on: those beyond tell nothing of now.

    Twice the SLO window, so that windows which say nothing leave it as it stood for a while.
    """
    return 2 * windows


def spent(slo: Slo, windows: int, seen: Iterable[MetricSeen]) -> list[BudgetSpent]:
    """Return the budget after each window, oldest first. Each version starts with a whole one.

    Parameters
    ----------
    windows
        How many windows the SLO window has; see `Slo.windows`.
    seen
        One for each window, in the order of event time.
    """
    sixth = ceil(windows / _PARTS)
    version: int | None = None
    newest: deque[float | None] = deque(maxlen=looked_at(windows))
    told = []
    for metric in seen:
        if metric.version != version:
            version = metric.version
            newest.clear()
        newest.append(metric.excess)
        unseen = sum(1 for _ in takewhile(lambda excess: excess is None, reversed(newest)))
        excesses = [excess for excess in newest if excess is not None][-windows:]
        burnt = [sum(excesses[-count:]) / (count * slo.budget) for count in (1, sixth, windows)]
        told.append(
            BudgetSpent(
                window=metric.window,
                version=metric.version,
                windows=windows,
                sixth_windows=sixth,
                judged=len(excesses),
                unseen=unseen,
                last=burnt[0],
                sixth=burnt[1],
                whole=burnt[2],
            )
        )
    return told


def metric_of(
    slo: Slo,
    losses: MeanLosses,
    classes: Sequence[tuple[float, float]],
    costs: Costs | None,
) -> float:
    """Return the metric of labelled rows.

    Parameters
    ----------
    classes
        Each class's share of the rows and its error rate, in the spec's order.
    costs
        `gates.costs`, which `cost` needs: rows are true classes, columns predicted ones.
    """
    if slo.metric != "cost" or costs is None:
        found: float = getattr(losses, slo.metric)
        return found
    (first, second), (missed, raised) = costs[0], costs[1]
    prices = ((first, second), (raised, missed))  # of a right decision, of a wrong one
    return sum(
        share * ((1 - wrong) * right_price + wrong * wrong_price)
        for (share, wrong), (right_price, wrong_price) in zip(classes, prices, strict=True)
    )


def metric_of_losses(
    slo: Slo, losses: Losses, classes: Sequence[Losses], costs: Costs | None
) -> float | None:
    """Return the metric of summed losses, by class in the spec's order; None without labels."""
    if not losses.effective_rows:
        return None
    rates = [
        (mine.weight / losses.weight, mine.error_rate if mine.weight else 0.0) for mine in classes
    ]
    return metric_of(slo, losses.means, rates, costs)

"""When others would refit: never, always, by the calendar, when a detector says so, in hindsight.

None of them asks anybody, rests, or compares the new model with the old one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.detectors import Peer, PeerName
from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.streams import Floats, Ints
from benchmarks.detection.unseen.figures import Reign, accuracy, truth, windows
from benchmarks.detection.unseen.refits import Refit, Refits, Rows
from tasks.replay.schedules import best

ADWIN = PeerName("river", "adwin_errors", "ADWIN", "errors, row by row, δ 0.002", labels=True)
DDM = PeerName("river", "ddm", "DDM", "errors, row by row, minimum + 3 sd", labels=True)

PERIOD = 8  # windows
MOST = 8  # retrains in hindsight
_KS = 0.1
_SCORED = 5_000_000  # rows times models up to which hindsight looks before every window

Reigns = list[Reign]


def never(it: Scenario, refits: Refits) -> Reigns:
    """Keep the first champion."""
    return [Reign(0, refits.first)]


def every(it: Scenario, refits: Refits, period: int, rows: Rows) -> Reigns:
    """Refit after every so many windows."""
    return _refitted(it, refits, rows, lambda window, champion: not (window + 1) % period)


def ks(it: Scenario, refits: Refits, rows: Rows) -> Reigns:
    """Refit when the scores are off those of the training's newest rows twice in a row."""
    above: list[tuple[Refit, int]] = []

    def alarms(window: int, champion: Refit) -> bool:
        if distance(champion.reference, champion.score(window)) <= _KS:
            return False
        above.append((champion, window))
        return above[-2:-1] == [(champion, window - 1)]

    return _refitted(it, refits, rows, alarms)


def distance(one: Floats, other: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples, shape (n,) and (m,)."""
    at = np.concatenate([one, other])
    below = (np.searchsorted(np.sort(some), at, side="right") / len(some) for some in (one, other))
    return float(np.abs(np.subtract(*below)).max())


def detector(it: Scenario, refits: Refits, peer: Peer, rows: Rows) -> Reigns:
    """Refit when a detector of errors signals; it then starts anew."""
    peer.reference(*_told(np.empty(0, bool)))

    def alarms(window: int, champion: Refit) -> bool:
        label = truth(it, window)
        right = (champion.said(window) == label)[label >= 0]
        if not peer.window(*_told(right)).alarm:
            return False
        peer.reference(*_told(np.empty(0, bool)))
        return True

    return _refitted(it, refits, rows, alarms)


def _told(right: NDArray[np.bool_]) -> tuple[Floats, Ints, Floats]:
    """Return what tells a peer of two classes which rows were right: margins of 1 and -1."""
    count = len(right)
    return np.where(right, 1.0, -1.0), np.ones(count, np.int64), np.empty((count, 0))


def oracle(it: Scenario, refits: Refits) -> Reigns:
    """Refit on all rows at the best windows in hindsight, at most MOST times."""
    count = windows(it)
    stride = -(-count * len(it.history.label) // _SCORED)
    models = {start: refits.at(start, "all rows") for start in range(0, count, stride)}
    found = {start: model for start, model in models.items() if model is not None}
    rates = np.full((len(found), count), np.nan)
    for row, (start, model) in zip(rates, found.items(), strict=True):
        row[start:] = [accuracy(it, model, w) for w in range(start, count)]
    plans = best(rates, np.array(list(found)), MOST)
    known = np.nan_to_num(rates)

    def total(plan: tuple[int, ...]) -> float:
        starts = [0, *plan]
        place = list(found)
        ends = zip(starts, [*plan, count], strict=True)
        return float(sum(known[place.index(a), a:b].sum() for a, b in ends))

    plan = max(plans, key=total)
    return [Reign(start, found[start]) for start in (0, *plan)]


def _refitted(
    it: Scenario, refits: Refits, rows: Rows, alarms: Callable[[int, Refit], bool]
) -> Reigns:
    champion = refits.first
    reigns = [Reign(0, champion)]
    for window in range(windows(it)):
        if not alarms(window, champion) or window + 1 == windows(it):
            continue
        if (new := refits.at(window + 1, rows)) is not None:
            champion = new
            reigns.append(Reign(window + 1, champion))
    return reigns

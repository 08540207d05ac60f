"""Whether an open episode is asked about yet: it still breaches, and its rows can teach. Pure.

A retrain right after an abrupt change has hardly a row of the new time to learn from, to choose by
and to be judged on; and some changes, such as an outage, are over before there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil

from tasks.drift.verdict import Verdict
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

JUDGED = 50  # rows of the new time that should judge a candidate …
OF_A_CLASS = 5  # … and of each class, in each part
_RARE = 10  # rows a window: rarer classes are not waited for


@dataclass(frozen=True)
class Taught:
    """What a window's rows say: how many are labelled, by class, and whether scores show it.

    `shows` says whether its scores alone are beyond their limits, as they are without labels.
    """

    labels: Mapping[str, int]
    shows: bool = True


@dataclass(frozen=True)
class Fresh:
    """A window since the change, its verdict, and what its rows say, read when it is asked for."""

    window: Window
    verdict: Verdict
    read: Callable[[], Taught]

    @cached_property
    def taught(self) -> Taught:
        return self.read()


def wait(spec: ModelSpec, seen: Sequence[Fresh], breach: datetime | None) -> str | None:
    """Return why it is too early to ask, and for how long; None if it is time.

    It never waits longer than `training.window`: then all rows there are, are of the new time. Nor
    does it read older windows than that, however long the episode has been open.

    Parameters
    ----------
    seen
        The windows since what is to be learnt began, oldest first.
    breach
        When this episode began.
    """
    longest = round(spec.training.window / spec.window.every)
    judged = [
        w for w in seen if w.verdict != "insufficient" and (not breach or w.window.start >= breach)
    ]
    newest = _telling(judged[-longest:])
    if newest and newest.verdict != "drifting":
        return "the newest window does not breach: it is asked with the next one that does"
    if len(seen) >= longest:
        return None
    needed = max(spec.latch.wait - len(judged), _windows_for_rows(spec, seen))
    missing = min(needed, longest - len(seen))
    if missing <= 0:
        return None
    since = seen[0].window.start if seen else None
    told = "the next window" if missing == 1 else f"{missing} more windows"
    return f"it is asked after {told}: so far {_rows(seen):,} labelled rows are from after " + (
        f"{since:%Y-%m-%d %H:%M}" if since else "the change"
    )


def _telling(judged: Sequence[Fresh]) -> Fresh | None:
    """Return the newest window that tells whether it goes on; None if none does.

    Where labels come late and scores hold still, a window without labels says nothing of it.
    """
    if judged and _labelled(judged[-1]):
        return judged[-1]
    if all(w.taught.shows for w in judged if w.verdict == "drifting"):
        return judged[-1] if judged else None
    return next((w for w in reversed(judged) if _labelled(w)), None)


def _labelled(seen: Fresh) -> bool:
    return any(seen.taught.labels.values())


def _windows_for_rows(spec: ModelSpec, seen: Sequence[Fresh]) -> int:
    """Return how many more windows like these give each part enough rows of each class."""
    parts = (spec.calibration.share, spec.training.judge)
    wanted = {"": JUDGED / spec.training.judge}
    there = {"": _rows(seen)}
    if not there[""]:
        return 1
    for name in {name for w in seen for name in w.taught.labels}:
        rows = sum(w.taught.labels.get(name, 0) for w in seen)
        if rows >= _RARE * len(seen):
            there[name], wanted[name] = rows, OF_A_CLASS / min(parts)
    return max(ceil((wanted[n] - rows) * len(seen) / rows) for n, rows in there.items())


def _rows(seen: Sequence[Fresh]) -> int:
    return sum(sum(w.taught.labels.values()) for w in seen)

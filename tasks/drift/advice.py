"""What to change if window after window says nothing, from the model's own history. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from tasks.drift.statistic import Statistic
from tasks.spec.model import ModelSpec
from tasks.spec.part import format_duration

ADVICE_WINDOWS = 8  # in a row that are insufficient, before advice is given
MOST_WINDOWS = 100  # times as long is no window that anybody waits for


@dataclass(frozen=True)
class SeenWindow:
    """A window as it was judged: its `rows`, those with a label, and its statistics."""

    verdict: str
    reason: str
    rows: int
    labelled: int
    statistics: Sequence[Statistic]


def advise(spec: ModelSpec, windows: Sequence[SeenWindow]) -> str | None:
    """Return a sentence if the newest eight windows, oldest first, are all insufficient."""
    newest = windows[-ADVICE_WINDOWS:]
    if len(newest) < ADVICE_WINDOWS or any(w.verdict != "insufficient" for w in newest):
        return None
    said = f"the last {ADVICE_WINDOWS} windows say nothing: "
    blind = [w for w in newest if w.statistics and all(s.blind for s in w.statistics)]
    unlabelled = [w for w in newest if w.statistics and w not in blind]
    least = spec.window.min_rows
    few = [w for w in newest if not w.statistics and 0 < w.rows < least]
    cause = max((few, blind, unlabelled), key=len)
    if 2 * len(cause) < ADVICE_WINDOWS:
        reason, times = Counter(w.reason for w in newest).most_common(1)[0]
        return f"{said}{times} of them because of this: {reason}"
    if cause is few:
        rows = median(w.rows for w in few)
        wider = _times(spec, ceil(least / rows))
        return f"{said}they hold {rows:g} rows, and window.min_rows is {least}; {wider}"
    if cause is blind:
        sees = median(min(s.noise / s.effect for s in w.statistics) for w in blind)
        name = Counter(_best(w.statistics) for w in blind).most_common(1)[0][0]
        # Noise shrinks with the root of the rows if blocks stay as many and grow alike.
        times = max(ceil(min(sees / spec.drift.blind_at, 1e6) ** 2), 2)
        wider = _times(spec, times, ("training.window",))
        return (
            f"{said}even {name} would show only a change {sees:.1f} times as large as one that "
            f"matters, and drift.blind_at is {spec.drift.blind_at:g}; {wider}"
        )
    labels = median(w.labelled for w in unlabelled)
    return (
        f"{said}they breach, drift.confirm is `required`, and {labels:g} rows have labels where "
        f"window.min_rows = {least} are needed; land them, or set drift.confirm: if_labelled"
    )


def _best(statistics: Iterable[Statistic]) -> str:
    return min(statistics, key=lambda s: s.noise / s.effect).name


def _times(spec: ModelSpec, times: int, also: Sequence[str] = ()) -> str:
    if times > MOST_WINDOWS:
        return f"windows {times:,} times as long would be needed, so rows of another source"
    every = f"window.every: {format_duration(spec.window.every * times)}"
    both = [every, *(f"{path}: {format_duration(spec.training.window * times)}" for path in also)]
    each = " each" if also else ""
    return f"set {' and '.join(both)}, {times} times as long{each}"

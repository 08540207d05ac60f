"""How long models take to score rows: an edge, for it reads the clock."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tasks.classifier import scoring

if TYPE_CHECKING:
    import pandas as pd

_ROUNDS = 7
_ROWS = 10_000


def seconds_per_row(
    candidate: Any, champion: Any | None, frame: pd.DataFrame
) -> tuple[float, float | None]:
    """Return the median time that candidate and champion take to score a row.

    Both take turns on the same rows, the newest 10 000, so that whatever else the machine does
    slows both; the first round warms up and does not count.
    """
    rows = frame.iloc[-_ROWS:]
    models = [model for model in (candidate, champion) if model is not None]
    taken: list[list[float]] = [[] for _ in models]
    for turn in range(_ROUNDS + 1):
        for model, times in zip(models, taken, strict=True):
            begun = perf_counter()
            scoring.decision_values(model, rows)
            if turn:
                times.append((perf_counter() - begun) / len(rows))
    return median(taken[0]), median(taken[1]) if champion is not None else None

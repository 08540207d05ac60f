"""Which decision values can be reckoned with: no infinity, and none whose square would be one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.arrays import Floats
from tasks.errors import Final

LARGEST = 1e150  # so that squares can be summed


class NotFinite(Final, ValueError):
    """Decision values that are no numbers: too large an input, or a broken log of margins."""


def wild(decision: Floats) -> Any:
    """Return the rows whose decision values, shape (n,) or (n, k), no summary can take."""
    bad = ~(np.abs(decision) <= LARGEST)
    return bad if bad.ndim == 1 else bad.any(axis=1)


def need_finite(decision: Floats) -> None:
    """Raise NotFinite if a decision value is not finite, or its square would not be."""
    bad = int(np.count_nonzero(wild(decision)))
    if bad:
        raise NotFinite(not_finite(bad))


def not_finite(rows: int) -> str:
    """Return the sentence about rows whose decision values no summary can take."""
    return (
        f"the decision values of {rows:,} row(s) are not finite, or beyond {LARGEST:g}; check the "
        "model's input, and bound it with an expectation"
    )

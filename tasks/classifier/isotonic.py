"""Isotonic regression: the best non-decreasing step function (Zadrozny & Elkan, 2002)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints

# It follows noise on fewer (Niculescu-Mizil & Caruana, 2005).
ISOTONIC_ROWS = 1000
LEADING = ("knots", "levels")


def learn(decision: Floats, hit: Ints) -> Any:
    """Return the step function; scores outside of those it learnt of count as the nearest."""
    return _blank().fit(decision, hit)


def never() -> Any:
    """Return a function that says 0 whatever the score."""
    return _blank().fit([0.0, 1.0], [0.0, 0.0])


def possible(learnt: Any) -> bool:
    """Return whether any score is probable."""
    return bool(learnt.y_thresholds_.any())


def as_often(learnt: Any, factor: float) -> Any:
    """Return the function with its odds multiplied."""
    p = learnt.y_thresholds_
    return deepcopy(learnt).fit(learnt.X_thresholds_, factor * p / (1 - p + factor * p))


def mirrored(learnt: Any) -> Any:
    """Return the function of -f to the other class of two."""
    return deepcopy(learnt).fit(-learnt.X_thresholds_, 1 - learnt.y_thresholds_)


def slope(learnt: Any) -> float:
    """Return its rise, 0 where it is flat."""
    return float(learnt.y_thresholds_[-1] - learnt.y_thresholds_[0])


def sigmoid(learnt: Any) -> None:
    """Return None: an isotonic function is no sigmoid."""
    return None


def parameters(learnt: Any, decision: Floats) -> dict[str, float]:
    """Return the number of its levels, and the least and median number of rows of one."""
    _, rows = np.unique(learnt.predict(decision).round(12), return_counts=True)
    return {
        "knots": len(rows),
        "least_rows": int(rows.min()),
        "median_rows": float(np.median(rows)),
    }


def told(each: Mapping[str, Mapping[str, float]]) -> str:
    """Return the levels of each class, and how many rows they rest on."""
    levels = " and ".join(str(c["knots"]) for c in each.values())
    return f"{levels} levels, {min(c['least_rows'] for c in each.values())} rows or more"


def _blank() -> Any:
    from sklearn.isotonic import IsotonicRegression

    return IsotonicRegression(out_of_bounds="clip")

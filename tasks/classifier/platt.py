"""Platt scaling: p = 1 / (1 + exp(a·f + b)) (Platt, 1999)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier.likelihood import standard_errors

_IMPOSSIBLE = 1e3  # 1 / (1 + exp(b)) is exactly 0 beyond b = 745
LEADING = ("a", "a")


def learn(decision: Floats, hit: Ints) -> Any:
    """Return the sigmoid of the greatest likelihood, with Platt's targets."""
    return _blank().fit(decision, hit)


def never() -> Any:
    """Return a sigmoid that says 0 whatever the score."""
    found = _blank()
    found.a_, found.b_ = 0.0, _IMPOSSIBLE
    return found


def possible(learnt: Any) -> bool:
    """Return whether any score is probable."""
    return bool(learnt.b_ != _IMPOSSIBLE)


def as_often(learnt: Any, factor: float) -> Any:
    """Return the sigmoid with its odds multiplied."""
    found = deepcopy(learnt)
    found.b_ -= float(np.log(factor))
    return found


def mirrored(learnt: Any) -> Any:
    """Return the sigmoid of -f to the other class of two."""
    found = deepcopy(learnt)
    found.b_ = -found.b_
    return found


def slope(learnt: Any) -> float:
    """Return -a."""
    return -float(learnt.a_)


def sigmoid(learnt: Any) -> tuple[float, float]:
    """Return (a, b)."""
    return float(learnt.a_), float(learnt.b_)


def parameters(learnt: Any, decision: Floats) -> dict[str, float]:
    """Return `a` and `b`, with `a_error` and `b_error`."""
    inputs = np.column_stack([decision, np.ones_like(decision)])
    a_error, b_error = standard_errors(inputs, learnt.predict(decision))
    return {
        "a": float(learnt.a_),
        "a_error": float(a_error),
        "b": float(learnt.b_),
        "b_error": float(b_error),
    }


def told(each: Mapping[str, Mapping[str, float]]) -> str:
    """Return a and b of each class, with their standard errors."""
    pairs = (
        (f"{name}: " if len(each) > 1 else "")
        + f"a = {c['a']:.3f} ± {c['a_error']:.3f}, b = {c['b']:.3f} ± {c['b_error']:.3f}"
        for name, c in each.items()
    )
    return f"{'; '.join(pairs)} (standard errors)"


def _blank() -> Any:
    from sklearn.calibration import _SigmoidCalibration

    return _SigmoidCalibration()

"""Simulated rows of a linear classifier: stationary ones, and shifts of known kind and size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WARM_UP = 200  # rows until the start no longer shows
_WIDTH = 5  # features
RULE = np.full(_WIDTH, 1 / sqrt(_WIDTH))  # the labelling rule's direction
ASIDE = np.array([1.0, -1.0, 0.0, 0.0, 0.0]) / sqrt(2)  # at a right angle to it


@dataclass(frozen=True)
class Rows:
    """`features` (n, d) as the model sees them, `label` (n,) of 0 and 1."""

    features: Floats
    label: Ints


@dataclass(frozen=True)
class Shift:
    """What changes: `apply(rng, n, amount)` returns rows with this share of the full change."""

    name: str
    what: str
    apply: Callable[[np.random.Generator, int, float], Rows]
    slow: bool = False  # grows from window to window, in full in the last one

    def rows(self, rng: np.random.Generator, n: int, window: int, windows: int) -> Rows:
        """Return the rows of a window, counted from 0 at the shift."""
        return self.apply(rng, n, (window + 1) / windows if self.slow else 1.0)


def autocorrelated(
    rng: np.random.Generator, n: int, rho: float, columns: int | None = None
) -> Floats:
    """Return standard normal AR(1) values, shape (n,) or (n, columns)."""
    from scipy.signal import lfilter

    shape = n + _WARM_UP if columns is None else (n + _WARM_UP, columns)
    noise = rng.standard_normal(shape)
    if not rho:
        return np.asarray(noise[_WARM_UP:])
    return np.asarray(lfilter([sqrt(1 - rho**2)], [1, -rho], noise, axis=0)[_WARM_UP:])


def stationary(rng: np.random.Generator, n: int, rho: float) -> tuple[Floats, Ints]:
    """Return decision values and labels, both autocorrelated; about 78 % of the rows are right."""
    decision = 1.2 * autocorrelated(rng, n, rho)
    return decision, (decision + autocorrelated(rng, n, rho) > 0).astype(np.int64)


def linear(rng: np.random.Generator, n: int, rule: Floats = RULE) -> Rows:
    """Return rows with features of AR(1), rho 0.3, labelled by a noisy linear rule."""
    features = autocorrelated(rng, n, 0.3, _WIDTH)
    return Rows(features, _labelled(rng, features, rule))


def rotated(degrees: float) -> Floats:
    """Return the labelling rule turned by an angle."""
    angle = degrees * pi / 180
    return np.asarray(cos(angle) * RULE + sin(angle) * ASIDE)


def _labelled(rng: np.random.Generator, features: Floats, rule: Floats) -> Ints:
    return (features @ rule + 0.5 * rng.standard_normal(len(features)) > 0).astype(np.int64)


def _offset(rng: np.random.Generator, n: int, amount: float) -> Rows:
    rows = linear(rng, n)
    return Rows(rows.features + 1.0 * amount * RULE, rows.label)


def _harmless(rng: np.random.Generator, n: int, amount: float) -> Rows:
    features = autocorrelated(rng, n, 0.3, _WIDTH) + 1.0 * amount * RULE
    return Rows(features, _labelled(rng, features, RULE))


def _scale(rng: np.random.Generator, n: int, amount: float) -> Rows:
    rows = linear(rng, n)
    return Rows(rows.features * (1 + amount), rows.label)


def _rule(rng: np.random.Generator, n: int, amount: float) -> Rows:
    return linear(rng, n, rotated(60 * amount))


def _prior(rng: np.random.Generator, n: int, amount: float) -> Rows:
    # Of the negative rows three quarters are left out: the positive share goes from 50 to 80 %.
    rows = linear(rng, 4 * n)
    keep = (rows.label == 1) | (rng.random(4 * n) > 0.75 * amount)
    return Rows(rows.features[keep][:n], rows.label[keep][:n])


def _broken(rng: np.random.Generator, n: int, amount: float) -> Rows:
    rows = linear(rng, n)
    rows.features[:, 0] *= 1 + 99 * amount
    return rows


SHIFTS = (
    Shift("offset", "the model sees features 1 sd off along its weights", _offset),
    Shift("scale", "all features × 2", _scale),
    Shift("rule", "the labelling rule turns by 60°, features as before", _rule),
    Shift("prior", "positive share 50 → 80 %", _prior),
    Shift("broken feature", "one of five features × 100", _broken),
    Shift("slow offset", "the offset, growing over 12 windows", _offset, slow=True),
    Shift("harmless", "the population moves by 1 sd, the rule holds", _harmless),
)

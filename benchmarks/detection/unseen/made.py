"""Made streams of known truth: 80 windows of 500 rows, all from one seed.

Time is counted in windows: a row at 40.5 stands in the middle of window 40. Labels follow a linear
rule with noise, so that a linear model can learn whatever changes.
"""

from __future__ import annotations

from functools import partial
from math import pi

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.streams import ASIDE, RULE, Floats, Rows, autocorrelated

WINDOWS, ROWS = 80, 500
FIRST = 20  # windows of the first champion
CHANGE = 40  # the window in which most streams change

_NOISE = 0.5  # of the score, whose own deviation is 1: the rule itself is right in 85 % of the rows
_YEAR = 365.25 / 7  # in windows


def times() -> Floats:
    """Return the time of each row in windows, shape (n,)."""
    return np.arange(WINDOWS * ROWS) / ROWS


def rules(degrees: Floats) -> Floats:
    """Return the rule turned by an angle for each row, shape (n, d)."""
    angle = np.deg2rad(degrees)[:, None]
    return np.asarray(np.cos(angle) * RULE + np.sin(angle) * ASIDE)


def turned(seed: int, degrees: Floats) -> Rows:
    """Return rows whose rule stands at these angles, shape (n,); the features hold still."""
    rng = np.random.default_rng(seed)
    features = _features(rng)
    return Rows(features, (_scores(rng, features, rules(degrees)) > 0).astype(np.int64))


def abrupt(seed: int, degrees: float, at: float) -> Rows:
    """Turn the rule at once."""
    return turned(seed, np.where(times() >= at, degrees, 0.0))


def recurring(seed: int) -> Rows:
    """Turn the rule by 120° at 35, back at 50, and again at 65."""
    turns = np.searchsorted([35, 50, 65], times(), side="right")
    return turned(seed, np.where(turns % 2, 120.0, 0.0))


def rotating(seed: int) -> Rows:
    """Turn the rule by 3° a window from 25 on."""
    return turned(seed, 3.0 * np.maximum(0, times() - 25))


def gradual(seed: int) -> Rows:
    """Mix in rows of a rule at 120°: their share grows from none at 35 to all at 50."""
    mixed = np.random.default_rng([seed, 1]).random(WINDOWS * ROWS)
    return turned(seed, np.where(mixed < (times() - 35) / 15, 120.0, 0.0))


def minority(seed: int) -> Rows:
    """Turn the rule of a class of 3 % by 60°; the other class hardly notices."""
    rng = np.random.default_rng(seed)
    features = _features(rng)
    score = _scores(rng, features, rules(np.where(times() >= CHANGE, 60.0, 0.0)))
    return Rows(features, (score > np.quantile(score, 0.97)).astype(np.int64))


def late_class(seed: int) -> Rows:
    """Let the third of three classes appear at 30."""
    return _three(seed, times() >= 30)


def leaving_class(seed: int) -> Rows:
    """Let the third of three classes leave at 40; the other two stay where they are.

    Rows between them and its corner are lost until a model no longer expects it.
    """
    return _three(seed, times() < CHANGE)


def forty_classes(seed: int) -> Rows:
    """Let twenty of forty classes change places at 40."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((40, 20)) * 0.9
    label = rng.integers(40, size=WINDOWS * ROWS)
    moved = np.where(label < 20, (label + 1) % 20, label)
    place = np.where(times() >= CHANGE, moved, label)
    return Rows(centres[place] + rng.standard_normal((len(label), 20)), label)


def fault(seed: int, factor: float, since: int, until: int, columns: int) -> Rows:
    """Multiply what the model sees of the first columns from a window until another."""
    rows = turned(seed, np.zeros(WINDOWS * ROWS))
    broken = (times() >= since) & (times() < until)
    rows.features[broken, :columns] *= factor
    return rows


def label_noise(seed: int, share: float) -> Rows:
    """Flip a share of the labels from 40 on."""
    rows = turned(seed, np.zeros(WINDOWS * ROWS))
    flipped = np.random.default_rng([seed, 1]).random(len(rows.label)) < share
    return Rows(rows.features, np.where((times() >= CHANGE) & flipped, 1 - rows.label, rows.label))


def prior(seed: int) -> Rows:
    """Leave out three quarters of the negative rows from 40 on: 50 → 80 % are positive."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((4 * WINDOWS * ROWS, len(RULE)))
    label = features @ RULE + _NOISE * rng.standard_normal(len(features)) > 0
    half = CHANGE * ROWS
    later = half + np.flatnonzero(label[half:] | (rng.random(len(label) - half) < 0.25))
    kept = np.r_[:half, later[: WINDOWS * ROWS - half]]
    return Rows(features[kept], label[kept].astype(np.int64))


def moving(seed: int, direction: Floats, shift: Floats) -> Rows:
    """Move the features, and hold the rule; `shift` in deviations, shape (n,)."""
    rng = np.random.default_rng(seed)
    features = _features(rng) + shift[:, None] * direction
    return Rows(features, (_scores(rng, features, RULE) > 0).astype(np.int64))


def season(seed: int, period: float) -> Rows:
    """Move the features along the rule and aside by the season, which lasts so many windows."""
    return moving(seed, (RULE + ASIDE) / 2**0.5, np.sin(2 * pi * times() / period))


def weekly(seed: int) -> Rows:
    """Move the features with the day of the week."""
    return season(seed, 1.0)


def yearly(seed: int) -> Rows:
    """Move the features with the day of the year."""
    return season(seed, _YEAR)


def autoregressive(seed: int, rho: float) -> Rows:
    """Make the features and the noise of the labels AR(1) from row to row."""
    rng = np.random.default_rng(seed)
    features = autocorrelated(rng, WINDOWS * ROWS, rho, len(RULE))
    noise = autocorrelated(rng, WINDOWS * ROWS, rho)
    return Rows(features, (features @ RULE + _NOISE * noise > 0).astype(np.int64))


def _three(seed: int, third: NDArray[np.bool_]) -> Rows:
    """Return rows about the corners of a triangle; of the third one only where it is there."""
    rng = np.random.default_rng(seed)
    label = np.where(third, rng.integers(3, size=len(third)), rng.integers(2, size=len(third)))
    corners = np.zeros((3, len(RULE)))
    corners[[0, 1, 2], [0, 1, 2]] = 1.8
    return Rows(corners[label] + _features(rng), label)


def _features(rng: np.random.Generator) -> Floats:
    return rng.standard_normal((WINDOWS * ROWS, len(RULE)))


def _scores(rng: np.random.Generator, features: Floats, rule: Floats) -> Floats:
    return np.asarray((features * rule).sum(axis=1) + _NOISE * rng.standard_normal(len(features)))


virtual_along = partial(moving, direction=RULE, shift=np.where(times() >= CHANGE, 1.5, 0.0))
virtual_across = partial(moving, direction=ASIDE, shift=np.where(times() >= CHANGE, 1.5, 0.0))

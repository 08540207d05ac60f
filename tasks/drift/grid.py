"""The bins of a version's histograms, laid around its reference so that distances hold. Pure.

For any window Kolmogorov-Smirnov is off by at most the largest share of the reference in one bin,
and Wasserstein by what crosses within a bin: see decision 015.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from math import floor, inf, log10, nextafter, sqrt
from typing import Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.drift.moments import Moments

_SHARE = 0.0048  # of the reference's rows that a bin holds at most, unless they are all equal
_WIDTH = 0.0098  # standard deviations: how wide a bin is at most, near the mean
_FARTHEST = 1e5  # standard deviations: of n values none lies farther than the root of n
_STEPS = 1000  # of a standard deviation: what positions within a bin are rounded to
_CELLS = 1 << 14
_MOST = 1e290  # so that positions can be summed


@dataclass(frozen=True)
class Bins:
    """Bins (-inf, e_0), [e_0, e_1), … [e_k, inf) between ascending edges.

    A bin keeps how many values it holds, and the sum of their positions: whole numbers of `unit`,
    counted from `centre`.
    """

    edges: tuple[float, ...]
    centre: float
    unit: float

    @classmethod
    def around(cls, values: Floats, also: tuple[float, ...] = (), *, spaced: bool = True) -> Bins:
        """Return bins for values like these, shape (n,), all finite.

        Parameters
        ----------
        also
            Edges that are wanted whatever the values are.
        spaced
            Whether bins are narrow, too, so that Wasserstein distances hold.
        """
        if not len(values):
            return cls(also, 0.0, 1.0 / _STEPS)
        ordered = np.sort(values)
        moments = Moments.of(ordered)
        deviation = moments.norm / sqrt(len(ordered))
        edges = {*also, *_ends(ordered, deviation), *_quantiles(ordered)}
        if spaced and deviation:
            edges.update(_spaced(ordered, moments.mean, deviation))
        unit = (deviation or abs(moments.mean) or 1.0) / _STEPS
        unit = max(_round(unit, 2), 1e-305)
        return cls(tuple(sorted(edges)), _shortest(moments.mean, deviation / 10), unit)

    @classmethod
    def even(cls, low: float, high: float, bins: int = 2048) -> Bins:
        """Return equal bins on [low, high), with one more below and one above."""
        edges = np.linspace(low, high, bins + 1).tolist()
        return cls(tuple(edges), (low + high) / 2, (high - low) / bins / 100)

    def __len__(self) -> int:
        return len(self.edges) + 1

    def count(self, values: Floats) -> tuple[Ints, Floats]:
        """Return how many finite values are in each bin, and the sums of their positions."""
        with np.errstate(over="ignore"):
            off = (values - self.centre) * (1 / self.unit)
            np.clip(off, -_MOST, _MOST, out=off)
        index = self._bin_of(values, off)
        np.rint(off, out=off)
        counts = np.bincount(index, minlength=len(self)).astype(np.int64, copy=False)
        sums = np.bincount(index, weights=off, minlength=len(self))
        return counts, sums.astype(np.float64, copy=False)

    def points(self, counts: Ints, sums: Floats) -> Floats:
        """Return the mean of each filled bin's values, ascending."""
        filled = counts > 0
        means = self.centre + self.unit * (sums[filled] / counts[filled])
        # Rounded to a unit, values of bins narrower than that may change places.
        return np.asarray(np.maximum.accumulate(means))

    def below(self, edge: float) -> int:
        """Return the number of bins below an edge."""
        return int(np.searchsorted(self._edges, edge, side="left")) + 1

    @cached_property
    def lefts(self) -> Floats:
        """Return the position where each bin begins; for the lowest bin, where it ends."""
        first = np.concatenate([self._edges[:1], self._edges])
        with np.errstate(over="ignore"):
            return np.rint(np.clip((first - self.centre) * (1 / self.unit), -_MOST, _MOST))

    @cached_property
    def _edges(self) -> Floats:
        return np.array(self.edges)

    def _bin_of(self, values: Floats, off: Floats) -> Ints:
        """Return the number of edges at or below each value.

        A table says it for most of them several times faster than a search. `_cell` never falls
        as values rise, so that an edge in an earlier cell is below a value, and only those in the
        same cell have to be compared.
        """
        earlier, next_edge, crowded = self._table
        cell = self._cell(off)
        index: Ints = earlier[cell]
        index += values >= next_edge[cell]
        hard = crowded[cell]
        if hard.any():
            index[hard] = np.searchsorted(self._edges, values[hard], side="right")
        return index

    def _cell(self, off: Floats) -> Any:
        low, scale = self._cells
        with np.errstate(over="ignore"):
            place = (off - low) * scale
        np.clip(place, 0, _CELLS - 1, out=place)
        return place.astype(np.int32)

    @cached_property
    def _cells(self) -> tuple[float, float]:
        """Return where the table's equal cells begin, and the inverse of their width."""
        # A few far edges must not make the cells of all others wide.
        low, high = np.quantile(self.lefts, [0.01, 0.99])
        return float(low), float((_CELLS - 2) / max(high - low, 1.0))

    @cached_property
    def _table(self) -> tuple[Ints, Floats, Any]:
        """Return of each cell the edges before it, its first edge, and whether it has more."""
        with np.errstate(over="ignore"):
            off = np.clip((self._edges - self.centre) * (1 / self.unit), -_MOST, _MOST)
        cell = self._cell(off)
        earlier = np.searchsorted(cell, np.arange(_CELLS), side="left")
        inside = np.bincount(cell, minlength=_CELLS)
        first = np.append(self._edges, inf)[earlier]
        return earlier, np.where(inside > 0, first, inf), inside > 1


@dataclass(frozen=True)
class Grid:
    """The bins of the scores, and of the labelled margins."""

    scores: Bins
    margins: Bins

    @classmethod
    def around(cls, scores: Floats, margins: Floats) -> Grid:
        """Return the grid of a reference with these scores and labelled margins, shape (n,)."""
        return cls(
            Bins.around(scores, (0.0,)), Bins.around(margins, (-1.0, 0.0, 1.0), spaced=False)
        )

    @classmethod
    def even(cls, low: float, high: float, bins: int = 2048) -> Grid:
        """Return equal bins on [low, high) for both."""
        both = Bins.even(low, high, bins)
        return cls(both, both)


def _quantiles(ordered: Floats) -> Iterator[float]:
    """Yield edges between which at most `_SHARE` of the values lie, or values that are all equal.

    A value that more of them share has an edge on either side of itself.
    """
    n = len(ordered)
    most, first = int(_SHARE * n), 0
    while first < n:
        value = float(ordered[first])
        last = int(np.searchsorted(ordered, value, side="right"))
        if last - first > most:
            yield value
            yield nextafter(value, inf)
            first = last
        elif first + most < n:
            first = int(np.searchsorted(ordered, ordered[first + most], side="left"))
            yield _between(float(ordered[first - 1]), float(ordered[first]))
        else:
            return


def _spaced(ordered: Floats, mean: float, deviation: float) -> Iterator[float]:
    """Yield edges at `_distances` from the mean, within the range of the values."""
    far = _distances() * deviation
    places = np.concatenate([mean - far[:0:-1], mean + far])
    digits = 4 - floor(log10(deviation))
    for place in places[(places > ordered[0]) & (places < ordered[-1])].tolist():
        yield round(place, digits)


@cache
def _distances() -> Floats:
    """Return distances from the mean, in standard deviations, from 0 to `_FARTHEST`.

    At most 1 / (1 + t²) of the reference lies beyond t (Cantelli), and only so much can cross
    within a bin there: bins may grow as that falls, and some 370 on either side are enough for
    any reference.
    """
    found = [0.0]
    while (t := found[-1]) < _FARTHEST:
        found.append(t + _WIDTH * (((t + 1 / t) / 2) ** 2 if t > 1 else 1.0))
    return np.array(found)


def _ends(ordered: Floats, deviation: float) -> Iterator[float]:
    """Yield an edge at or below all values, and one above: beyond them nothing crosses."""
    low, high = float(ordered[0]), float(ordered[-1])
    yield _between(min(low - _WIDTH * deviation, nextafter(low, -inf)), low)
    yield _between(high, max(high + _WIDTH * deviation, nextafter(high, inf)))


def _between(low: float, high: float) -> float:
    """Return the number in (low, high] with the fewest digits: an edge tells little of a row."""
    middle = low + (high - low) / 2
    for digits in range(1, 18):
        found = _round(middle, digits)
        if low < found <= high:
            return found
    return high


def _shortest(value: float, tolerance: float) -> float:
    for digits in range(1, 18):
        found = _round(value, digits)
        if abs(found - value) <= tolerance:
            return found
    return value


def _round(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")

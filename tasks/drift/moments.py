"""Count, mean and spread of one column, of any size of number; mergeable, no row. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, hypot, isfinite, ldexp, sqrt

import numpy as np

from tasks.arrays import Floats

_KEPT = 1e-4  # of the squares: at most four of sixteen digits are lost
_SQUARES = 1e-200, 1e300  # sums of squares outside may have lost terms, or be none


@dataclass(frozen=True)
class Moments:
    """Count, mean, and `norm`, the root of the centred sum of squares; no extremes: rows' values.

    A root, because squares of 1e200 or 1e-200 are no numbers any more.
    """

    n: int
    mean: float
    norm: float

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Return the moments of finite values, shape (n,)."""
        if not len(values):
            return NOTHING
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            total, squares = float(values.sum()), float(values @ values)
        if not (_SQUARES[0] < squares < _SQUARES[1] and isfinite(total)):
            largest = float(np.abs(values).max())
            power = frexp(largest)[1]
            if isfinite(largest) and abs(power) > 300:  # in a unit in which squares are numbers
                near = cls.of(np.ldexp(values, -power))
                return cls(near.n, ldexp(near.mean, power), ldexp(near.norm, power))
        mean = total / len(values)
        m2 = squares - total * mean
        if not m2 > _KEPT * squares:  # too few digits are left of the difference: centre first
            off = values - mean
            m2 = float(off @ off)
        return cls(len(values), mean, sqrt(m2))

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both together (Chan, Golub & LeVeque, 1983)."""
        if not (self.n and other.n):
            return self if self.n else other
        n = self.n + other.n
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.n / n)
        between = gap * sqrt(self.n * (other.n / n))
        return Moments(n, mean, hypot(self.norm, other.norm, between))

    @property
    def deviation(self) -> float:
        """Return the standard deviation; 0 of a single value."""
        return self.norm / sqrt(self.n - 1) if self.n > 1 else 0.0

    @property
    def constant(self) -> bool:
        """Return whether all values are equal, to nine digits."""
        return self.n > 0 and self.norm <= sqrt(self.n) * abs(1e-9 * self.mean)


NOTHING = Moments(0, 0.0, 0.0)

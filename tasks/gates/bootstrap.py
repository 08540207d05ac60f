"""How far a mean over time-ordered rows may be off: blocks of rows, drawn with replacement. Pure.

Rows near in time err alike, so single rows drawn at random would promise too much. Whole blocks
keep what binds them (Künsch, 1989), laid on a circle so that every row is drawn as often (Politis
& Romano, 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.arrays import Floats, Ints

RESAMPLES = 2000
_FEWEST = 5  # draws in a tail whose quantile can be read
_MOST_BLOCKS = 1000  # beyond this more blocks change no digit that is shown, and cost time


@dataclass(frozen=True)
class Blocks:
    """`RESAMPLES` draws of blocks of `length` rows out of `rows`, the same for the same seed."""

    rows: int
    length: int
    seed: int

    @classmethod
    def for_series(cls, values: Floats, seed: int) -> Blocks:
        """Return blocks as long as the memory of time-ordered values, shape (n,), asks for."""
        length = max(block_length(values), -(-len(values) // _MOST_BLOCKS))
        return cls(len(values), length, seed)

    @cached_property
    def starts(self) -> Ints:
        """Return where the blocks of each resample begin, shape (RESAMPLES, blocks)."""
        count = -(-self.rows // self.length)
        rng = np.random.default_rng(self.seed)
        return rng.integers(0, self.rows, (RESAMPLES, count))

    def sums(self, values: Floats) -> Floats:
        """Return the sum of values, shape (n,), over each resample; shape (RESAMPLES,)."""
        circle = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[: self.length]]))])
        of_blocks = circle[self.length :][: self.rows] - circle[: self.rows]
        return np.asarray(of_blocks[self.starts].sum(axis=1))

    def means(self, values: Floats, among: Floats | None = None) -> Floats:
        """Return the mean of values in each resample; NaN where it has no row of `among`.

        Parameters
        ----------
        among
            1 for each row that counts, 0 for the others, shape (n,); None for all.
        """
        if among is None:
            return np.asarray(self.sums(values) / (self.starts.shape[1] * self.length))
        counts = np.rint(self.sums(among))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sums(values * among) / counts)

    def interval(
        self, values: Floats, confidence: float, among: Floats | None = None
    ) -> tuple[float, float]:
        """Return the interval of the mean of values; see `between`."""
        return self.between(self.means(values, among), confidence)

    def between(self, resampled: Floats, confidence: float) -> tuple[float, float]:
        """Return the percentiles of a figure's resampled values, widened for few blocks.

        The tails are those of Hesterberg (2015), "What teachers should know about the bootstrap",
        section 5.3, with blocks in the place of rows: plain percentiles are too narrow by
        √((k-1)/k) and by the difference between normal and t quantiles. Where a tail has too few
        draws to be read from, as with many slices, it is that of t around their mean.
        """
        from scipy.special import ndtr, stdtrit

        known = resampled[~np.isnan(resampled)]
        k = max(self.rows / self.length, 2.0)
        reach = np.sqrt(k / (k - 1)) * stdtrit(k - 1, (1 - confidence) / 2)
        tail = ndtr(reach)
        if tail * len(known) < _FEWEST:
            far, middle = float(-reach * known.std()), float(known.mean())
            return middle - far, middle + far
        low, high = np.quantile(known, [tail, 1 - tail])
        return float(low), float(high)


def block_length(values: Floats) -> int:
    """Return how many rows a block should have for the mean of these time-ordered values.

    The rule of Politis & White (2004) for circular blocks as Patton, Politis & White (2009)
    corrected it: it minimises the error of the bootstrapped variance, from autocorrelations up to
    the lag from where on they are not told from 0. 1 for independent values.

    Parameters
    ----------
    values
        Shape (n,), in the order of time.
    """
    n = len(values)
    centred = values - values.mean()
    variance = float(centred @ centred) / n
    if n < 8 or variance <= 1e-24:
        return 1
    run = 5  # lags in a row that have to be insignificant
    most = int(np.ceil(np.sqrt(n))) + run
    covariance = _autocovariance(centred, min(most + run, n - 1))
    significant = np.abs(covariance[1:] / variance) >= 2 * np.sqrt(np.log10(n) / n)
    last = 0
    for lag in np.flatnonzero(significant) + 1:
        if lag > last + run:
            break
        last = int(lag)
    if last == 0:
        return 1
    lags = np.arange(min(2 * last, most, len(covariance) - 1) + 1)
    flat_top = np.clip(2 * (1 - lags / lags[-1]), 0, 1)
    twice = np.where(lags == 0, 1.0, 2.0) * flat_top * covariance[lags]
    spectrum, slope = twice.sum(), twice @ lags
    if spectrum <= 0:
        return 1
    length = (1.5 * slope**2 / spectrum**2 * n) ** (1 / 3)  # (2·G² / (4/3·g²))^⅓ · n^⅓
    return max(1, int(np.ceil(min(length, 3 * np.sqrt(n), n / 3))))


def _autocovariance(centred: Floats, lags: int) -> Floats:
    """Return the autocovariances at lag 0 … lags, by way of the spectrum."""
    n = len(centred)
    size = 1 << (n + lags).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    return np.asarray(np.fft.irfft(power, size)[: lags + 1] / n)

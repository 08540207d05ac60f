"""What a champion's windows are held against: the summary of the rows on which it was accepted,
and how much windows differ while all is well. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from tasks import formats
from tasks.arrays import Floats
from tasks.drift import summary_json
from tasks.drift.class_spread import class_effects, name_of
from tasks.drift.distances import bin_at
from tasks.drift.grid import Bins
from tasks.drift.loss_sums import Losses
from tasks.drift.summary import Distribution, Summary, merge_all

_DECILES = np.arange(1, 10) / 10
_RESAMPLES = 200
_LEAST_FOR_A_TREND = 4  # degrees of freedom


@dataclass(frozen=True)
class Spread:
    """How much consecutive blocks of rows differed while all was well.

    `rows` is a block's size. `design_effects` says, for each quantity, how many times the variance
    of a block's value exceeds that of independent rows (Kish, 1965): autocorrelation and what
    comes and goes between windows. `degrees` is on how many blocks that rests.
    """

    rows: float
    degrees: int
    design_effects: Mapping[str, float]


@dataclass(frozen=True)
class NullDistance:
    """The log-normal distribution of a distance of two samples of the reference.

    In the distance's units, of the margins as they are, for samples with 1/n + 1/m = 1.
    """

    mean: float
    deviation: float

    def quantile(self, tail: float) -> float:
        """Return what is exceeded with this probability."""
        if not self.mean:
            return 0.0
        spread = log(1 + (self.deviation / self.mean) ** 2)
        return self.mean * exp(-NormalDist().inv_cdf(tail) * sqrt(spread) - spread / 2)


@dataclass(frozen=True)
class Reference:
    """`sigmoid` is the (a, b) of the model's calibration, where it has two classes."""

    summary: Summary
    spread: Spread
    wasserstein: NullDistance
    sigmoid: tuple[float, float] | None = None


def reference_from_blocks(
    groups: Sequence[Sequence[Summary]],
    accepted: int,
    sigmoid: tuple[float, float] | None = None,
) -> Reference:
    """Return the reference from the blocks of a training window.

    Parameters
    ----------
    groups
        Consecutive blocks, oldest first, of each slice: what was fitted is not expected to look
        like what was not, so blocks are compared within their slice.
    accepted
        How many of the last groups are the rows on which the model was accepted.
    """
    whole = merge_all([block for group in groups[-accepted:] for block in group])
    distance = null_distance(whole.scores, whole.grid.scores)
    return Reference(whole, spread_of(groups, whole), distance, sigmoid)


def spread_of(groups: Sequence[Sequence[Summary]], whole: Summary) -> Spread:
    """Return how much blocks differ within their groups."""
    blocks = [block for group in groups for block in group]
    rows = sum(b.rows for b in blocks) / len(blocks)
    # A block whose labels weigh nothing says nothing about losses.
    weighed = [[b for b in group if b.losses.effective_rows] for group in groups]
    if not whole.losses.effective_rows:
        weighed = [[*group] for group in groups]
    degrees = sum(len(group) - 1 for group in weighed if group)

    def effect(
        value: Callable[[Summary], float],
        deviation: Callable[[Summary], float],
        among: Sequence[Sequence[Summary]] = groups,
    ) -> float:
        values = []
        for group in filter(None, among):
            own = merge_all(list(group))
            if (unit := max(deviation(own), deviation(whole))) > 0:
                values.append([(b.rows, (value(b) - value(own)) / unit) for b in group])
        return design_effect(values, 1.0)

    def below(kind: str) -> float:
        among = [[b for b in group if getattr(b, kind).moments.n] for group in groups]
        if not any(among):
            return 1.0
        edges = [bin_at(getattr(whole, kind), share) for share in _DECILES]
        shares = [partial(_below, kind, edge) for edge in edges]
        return float(np.mean([effect(s, partial(_of_share, s), among) for s in shares]))

    losses, table = whole.losses, whole.reliability
    hinge = violations = 1.0
    if losses.effective_rows:
        hinge = effect(
            lambda b: b.losses.hinge_loss, lambda b: sqrt(b.losses.hinge_variance), weighed
        )
        rate = _violation_rate
        violations = effect(rate, partial(_of_share, rate), weighed)
    gaps = {}
    if table.effective_rows and all(b.reliability.effective_rows for g in weighed for b in g):
        for name in ("overconfidence", "bias"):
            gaps[name] = effect(partial(_gap, name), partial(_gap_deviation, name), weighed)
        for name in table.classes:
            gaps[name_of("bias", name)] = effect(
                partial(_bias_of, name), partial(_deviation_of, name), weighed
            )
    return Spread(
        rows,
        max(degrees, 1),
        {
            **gaps,
            **class_effects(groups, whole),
            "scores": below("scores"),
            "margins": below("margins"),
            "mean": effect(lambda b: b.scores.moments.mean, lambda b: b.scores.moments.deviation),
            "inside": effect(_inside, partial(_of_share, _inside)),
            "hinge": hinge,
            "violations": violations,
        },
    )


def design_effect(groups: Sequence[Sequence[tuple[int, float]]], variance: float) -> float:
    """Return the variance between blocks over that of means of independent rows, at least 1.

    The F statistic of a one-way analysis of variance, within groups of (rows, mean) blocks, oldest
    first. A trend that all groups share is taken out if it is beyond chance: what drifts all the
    time does not come and go between windows, and would hide further drift.
    """
    between = trend = spread = 0.0
    degrees = 0
    for group in filter(None, groups):
        rows = np.array([n for n, _ in group], dtype=np.float64)
        means = np.array([mean for _, mean in group])
        gaps = means - rows @ means / rows.sum()
        steps = np.arange(len(group)) - rows @ np.arange(len(group)) / rows.sum()
        between += float(rows @ gaps**2)
        trend += float(rows @ (gaps * steps))
        spread += float(rows @ steps**2)
        degrees += len(group) - 1
    if not degrees or not variance > 0:
        return 1.0
    explained = trend**2 / spread
    if degrees > _LEAST_FOR_A_TREND:
        rest = (between - explained) / (degrees - 1)
        if explained > _beyond_chance(degrees - 1) * rest:
            return max(rest / variance, 1.0)
    return max(between / degrees / variance, 1.0)


@lru_cache
def _beyond_chance(degrees: int) -> float:
    """Return the F statistic of a slope that chance exceeds once in a hundred times."""
    from scipy.stats import f

    return float(f.isf(0.01, 1, degrees))


def _below(kind: str, edge: int, block: Summary) -> float:
    distribution: Distribution = getattr(block, kind)
    return float(distribution.counts[: edge + 1].sum() / distribution.moments.n)


def _gap(name: str, block: Summary) -> float:
    return float(getattr(block.reliability, name))


def _gap_deviation(name: str, block: Summary) -> float:
    return sqrt(max(block.reliability.brier - _gap(name, block) ** 2, 0.0))


def _bias_of(name: str, block: Summary) -> float:
    return block.reliability.bias_of(name)


def _deviation_of(name: str, block: Summary) -> float:
    return block.reliability.deviation_of(name)


def _violation_rate(block: Summary) -> float:
    return block.losses.violation_rate


def _inside(block: Summary) -> float:
    return block.inside / block.rows


def _of_share(share: Callable[[Summary], float], block: Summary) -> float:
    return _binary(share(block))


def _binary(share: float) -> float:
    """Return the standard deviation of what is so with this probability."""
    return sqrt(max(share * (1 - share), 0.0))


def null_distance(reference: Distribution, bins: Bins) -> NullDistance:
    """Return how far two samples of the reference lie apart by chance."""
    return null_of(reference, bins, lambda below, widths: np.abs(below) @ widths)


def null_of(
    reference: Distribution, bins: Bins, distance: Callable[[Floats, Floats], Floats]
) -> NullDistance:
    """Return the distribution of a distance of two samples of the reference.

    Pairs as large as the reference are drawn 200 times from its histogram (parametric bootstrap,
    fixed seed); distances of samples shrink with the root of 1/n + 1/m.

    Parameters
    ----------
    distance
        Makes of F - G between the points of a histogram, shape (200, points - 1), and of the
        widths between these, shape (points - 1,), the distances, shape (200,).
    """
    rng = np.random.default_rng(0)
    m = reference.moments.n
    shares = reference.counts[reference.counts > 0] / m
    drawn = (rng.multinomial(m, shares, _RESAMPLES) - rng.multinomial(m, shares, _RESAMPLES)) / m
    widths = np.diff(bins.points(reference.counts, reference.sums))
    distances = distance(np.cumsum(drawn, axis=1)[:, :-1], widths) * sqrt(m / 2)
    return NullDistance(float(distances.mean()), float(distances.std()))


def reference_to_json(reference: Reference) -> dict[str, Any]:
    """Return the reference as JSON-ready values."""
    return {
        "format": summary_json.SUMMARY_FORMAT,
        "summary": summary_json.summary_to_json(reference.summary),
        "spread": asdict(reference.spread),
        "wasserstein": asdict(reference.wasserstein),
        "sigmoid": reference.sigmoid,
    }


def reference_from_json(raw: Mapping[str, Any], what: str = "reference") -> Reference:
    """Return the reference that `reference_to_json` wrote.

    Raises formats.OtherFormat, which names `what`.
    """
    return formats.load_stored(
        what, raw, {summary_json.SUMMARY_FORMAT: _read}, summary_json.OLDER_SUMMARY
    )


def spread_from_json(raw: Mapping[str, Any]) -> Spread:
    """Return how much blocks of a stored reference differ; its histograms are not read."""
    return Spread(**raw["spread"])


def losses_from_json(raw: Mapping[str, Any]) -> Losses | None:
    """Return the losses of a stored reference; its histograms are not read.

    None where no labelled row weighs anything.
    """
    kept = raw.get("summary", {}).get("losses")
    losses = None if kept is None else summary_json.sums_from_json(kept)
    return losses if losses is not None and losses.weight else None


def _read(raw: Mapping[str, Any]) -> Reference:
    return Reference(
        summary_json.summary_from_json(raw["summary"]),
        spread_from_json(raw),
        NullDistance(**raw["wasserstein"]),
        None if raw["sigmoid"] is None else (raw["sigmoid"][0], raw["sigmoid"][1]),
    )

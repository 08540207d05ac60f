"""The gates that the spec declares: candidate against champion on the same rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np

from tasks.arrays import Floats
from tasks.gates.bootstrap import Blocks
from tasks.gates.contest import Contest
from tasks.gates.gate_result import NO_CHAMPION, GateResult, bounded_gate, guarded, verdict
from tasks.gates.losses import LOSSES, Scored, loss
from tasks.spec.gate_options import MORE_IS_BETTER, Gate, Gates

_BINNED = ("calibration_error", "max_calibration_error")
_MOST_TIMES = 100


def judge_declared(
    gates: Gates, answers: Contest[Scored], classes: Sequence[str], *, seed: int
) -> list[GateResult]:
    """Return the result of each declared gate that compares answers on the judged rows.

    Parameters
    ----------
    answers
        What both say of the same rows.
    classes
        Names in the order of their index.
    """

    def of(name: str, gate: Gate) -> Iterable[GateResult]:
        if name in LOSSES or name == "cost":
            return [_of_loss(name, gates, answers, gate.confidence, seed).against(gate)]
        if name in _BINNED:
            return [_of_bins(name, answers, gate.confidence, seed).against(gate)]
        if name == "per_class_recall":
            return _of_recall(gate, answers, classes, seed)
        return []

    return [
        result
        for name, gate in gates.declared()
        for result in guarded(name, partial(of, name, gate))
    ]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A metric of candidate and champion on some of the judged rows.

    `interval` bounds candidate - champion, drawn from blocks of `block` rows; it and `champion` are
    None where there is no champion. `slice` names the rows where they are not all judged ones.
    """

    metric: str
    rows: int
    candidate: float
    champion: float | None = None
    interval: tuple[float, float] | None = None
    block: int = 1
    slice: str | None = None

    def against(self, gate: Gate) -> GateResult:
        """Return the verdict of a gate on it."""
        ok, reason = self._judged(gate)
        low, high = self.interval or (None, None)
        return GateResult(
            self.metric,
            verdict(ok),
            reason,
            candidate=self.candidate,
            champion=self.champion,
            low=low,
            high=high,
            slice=self.slice,
            rows=None if self.slice is None else self.rows,
        )

    def _judged(self, gate: Gate) -> tuple[bool, str]:
        if gate.at_most is not None or gate.at_least is not None:
            absolute = bounded_gate(self.metric, self.candidate, gate, self.champion)
            return absolute.passed, absolute.reason
        if self.interval is None or self.champion is None:
            return True, NO_CHAMPION
        low, high = self.interval
        gap, best, worst = self.candidate - self.champion, low, high
        if self.metric in MORE_IS_BETTER:
            gap, best, worst = self.champion - self.candidate, -high, -low
        bound = gate.by or 0.0
        ok = worst < bound if gate.better_than else worst <= bound
        wish = "better than the champion" if gate.better_than else f"not worse by {bound:g}"
        reason = f"{wish}: interval {low:+.3f} … {high:+.3f} at {gate.confidence:.0%}"
        if self.block > 1:
            reason += f", blocks of {self.block} rows"
        if not ok:
            reason += f"; {_needed(gap, best, worst, bound, self.rows)}"
        return ok, reason


def _of_loss(
    name: str, gates: Gates, answers: Contest[Scored], confidence: float, seed: int
) -> Comparison:
    losses = answers.map(lambda scored: loss(name, scored, gates.costs))
    ours, theirs = losses.candidate, losses.champion
    if theirs is None:
        return Comparison(metric=name, rows=len(ours), candidate=float(ours.mean()))
    gap = ours - theirs
    blocks = Blocks.for_series(gap, seed)
    return Comparison(
        metric=name,
        rows=len(ours),
        candidate=float(ours.mean()),
        champion=float(theirs.mean()),
        interval=blocks.interval(gap, confidence),
        block=blocks.length,
    )


def _of_bins(name: str, answers: Contest[Scored], confidence: float, seed: int) -> Comparison:
    def error(scored: Scored) -> float:
        found = scored.reliability
        return found.expected_error if name == "calibration_error" else found.maximum_error

    candidate, champion = answers.candidate, answers.champion
    rows, ours = len(candidate.truth), error(candidate)
    if champion is None:
        return Comparison(metric=name, rows=rows, candidate=ours)
    theirs = error(champion)
    blocks = Blocks.for_series(candidate.reliability.excess - champion.reliability.excess, seed)
    gap = _resampled_error(name, candidate, blocks) - _resampled_error(name, champion, blocks)
    # Absolute gaps grow by the noise of drawing; taken off, the draws lie around what was found.
    low, high = blocks.between(gap - gap.mean() + (ours - theirs), confidence)
    return Comparison(
        metric=name,
        rows=rows,
        candidate=ours,
        champion=theirs,
        interval=(low, high),
        block=blocks.length,
    )


def _resampled_error(name: str, scored: Scored, blocks: Blocks) -> Floats:
    found = scored.reliability
    gaps = []
    for number in range(len(found.rows)):
        here = (found.bin == number).astype(np.float64)
        total, count = blocks.sums(found.excess * here), np.rint(blocks.sums(here))
        gaps.append((np.abs(total), count))
    totals, counts = np.array([g[0] for g in gaps]), np.array([g[1] for g in gaps])
    if name == "calibration_error":
        return np.asarray(totals.sum(axis=0) / counts.sum(axis=0))
    return np.asarray(np.divide(totals, np.maximum(counts, 1)).max(axis=0))


def _of_recall(
    gate: Gate, answers: Contest[Scored], classes: Sequence[str], seed: int
) -> Iterable[GateResult]:
    """Yield a result for each class; the mean of `found` over a class's rows is its recall."""
    found = answers.map(lambda scored: 1 - LOSSES["error_rate"](scored))
    ours, theirs = found.candidate, found.champion
    blocks = None if theirs is None else Blocks.for_series(ours - theirs, seed)
    for index, name in enumerate(classes):
        among, part = answers.candidate.truth == index, f"class {name}"
        if not among.any():
            reason = f"no judged row is of class {name}"
            yield GateResult("per_class_recall", "not_judged", reason, slice=part, rows=0)
            continue
        champions, interval = None, None
        if theirs is not None and blocks is not None:
            champions = float(theirs[among].mean())
            interval = blocks.interval(ours - theirs, gate.confidence, among.astype(np.float64))
        yield Comparison(
            metric="per_class_recall",
            rows=int(among.sum()),
            candidate=float(ours[among].mean()),
            champion=champions,
            interval=interval,
            block=1 if blocks is None else blocks.length,
            slice=part,
        ).against(gate)


def _needed(gap: float, best: float, worst: float, bound: float, rows: int) -> str:
    """Return what it would take to show that a gap is below a bound, if less is better.

    An interval is as wide as 1/√rows, so of k times the rows its end lies √k times nearer the gap.
    """
    if best > bound or not gap < bound:
        said = "it is shown to be worse" if best > bound else "it is no better on these rows"
        return f"{said}: it takes other rows to learn from (training.window), or other features"
    wider = (worst - gap) / (bound - gap)
    times = min(wider, _MOST_TIMES + 1) ** 2
    if times > _MOST_TIMES:
        return f"a gap so small takes over {_MOST_TIMES} times the {rows:,} judged rows to show"
    needed = ceil(rows * times)
    size = 10 ** max(len(str(needed)) - 2, 0)
    return (
        f"to show this gap takes about {ceil(needed / size) * size:,} judged rows, not {rows:,} "
        "(training.window, training.judge)"
    )

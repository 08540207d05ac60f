"""Candidate against champion on the same rows: named gates with their figures. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from math import ceil
from typing import Any, Literal

import numpy as np

from tasks.arrays import Floats
from tasks.gates.bootstrap import Blocks
from tasks.gates.losses import LOSSES, NotComputable, Scored, loss
from tasks.spec.model import Gate, Gates

Verdict = Literal["passed", "failed", "not_judged"]
NO_CHAMPION = "no champion yet to compare with"
_BINNED = ("calibration_error", "max_calibration_error")
_MOST_TIMES = 100


@dataclass(frozen=True)
class GateResult:
    """One check of a candidate: its verdict, its figures, and why in one line.

    `low` and `high` bound candidate - champion; a figure is None where there is none. `slice`
    names the rows where it is not all judged ones, `rows` counts them.
    """

    name: str
    verdict: Verdict
    reason: str
    candidate: float | None = None
    champion: float | None = None
    low: float | None = None
    high: float | None = None
    slice: str | None = None
    rows: int | None = None

    @property
    def passed(self) -> bool:
        """Return whether it stands in nobody's way: what was not judged does not."""
        return self.verdict != "failed"

    @property
    def title(self) -> str:
        """Return its name as people read it."""
        words = self.name.replace("_", " ")
        return words if self.slice is None else f"{words}, {self.slice}"


def passed(results: Sequence[GateResult]) -> bool:
    """Return whether every gate passed; without any gate nothing passes."""
    return bool(results) and all(r.passed for r in results)


def as_json(result: GateResult) -> dict[str, Any]:
    """Return a result as it is kept and shown."""
    return {**asdict(result), "passed": result.passed}


def from_json(kept: Mapping[str, Any]) -> GateResult:
    """Return the result that `as_json` gave."""
    return GateResult(**{f.name: kept[f.name] for f in fields(GateResult)})


def verdict(ok: bool) -> Verdict:
    return "passed" if ok else "failed"


def guarded(name: str, compute: Callable[[], Iterable[GateResult]]) -> list[GateResult]:
    """Return what is computed; a failure of that name where it cannot be, or is no number."""
    try:
        results = list(compute())
    except NotComputable as error:
        return [GateResult(name, "failed", f"cannot be computed: {error}")]
    except Exception as error:  # whatever goes wrong, the candidate has not shown that it is good
        why = f"cannot be computed: {type(error).__name__}: {error}"
        return [GateResult(name, "failed", why)]
    return [_finite(result) for result in results]


def _finite(result: GateResult) -> GateResult:
    figures = {n: getattr(result, n) for n in ("candidate", "champion", "low", "high")}
    wrong = [n for n, value in figures.items() if value is not None and not np.isfinite(value)]
    if not wrong:
        return result
    why = f"cannot be computed: {', '.join(wrong)} is no finite number"
    kept = {n: None if n in wrong else value for n, value in figures.items()}
    return GateResult(result.name, "failed", why, slice=result.slice, rows=result.rows, **kept)


def judge(
    gates: Gates,
    candidate: Scored,
    champion: Scored | None,
    classes: Sequence[str],
    *,
    seed: int,
) -> list[GateResult]:
    """Return the result of each declared gate that compares answers on the judged rows.

    Parameters
    ----------
    candidate, champion
        What both say of the same rows; champion is None at the bootstrap.
    classes
        Names in the order of their index.
    """

    def of(name: str, gate: Gate) -> Iterable[GateResult]:
        if name in LOSSES or name == "cost":
            return [_of_loss(name, gate, gates, candidate, champion, seed)]
        if name in _BINNED:
            return [_of_bins(name, gate, candidate, champion, seed)]
        if name == "per_class_recall":
            return _of_recall(gate, candidate, champion, classes, seed)
        return []

    return [
        result
        for name, gate in gates.declared()
        for result in guarded(name, partial(of, name, gate))
    ]


def bounded(name: str, value: float, gate: Gate, champion: float | None = None) -> GateResult:
    """Return whether a figure stays within an absolute bound.

    The bound is the owner's word, so it holds where the champion is beyond it too; that is said.
    """

    def within(figure: float) -> bool:
        if gate.at_least is not None:
            return figure >= gate.at_least
        assert gate.at_most is not None
        return figure <= gate.at_most

    ok = within(value)
    reason = f"at most {gate.at_most:g}" if gate.at_least is None else f"at least {gate.at_least:g}"
    if not ok:
        reason += f", and it is {value:.3g}"
        if champion is not None and not within(champion):
            reason += f"; the champion's {champion:.3g} is beyond it too"
        reason += f"; change gates.{name} if the bound no longer fits"
    return GateResult(name, verdict(ok), reason, value, champion)


def _of_loss(
    name: str, gate: Gate, gates: Gates, candidate: Scored, champion: Scored | None, seed: int
) -> GateResult:
    ours = loss(name, candidate, gates.costs)
    if champion is None:
        return _compared(name, gate, len(ours), float(ours.mean()), None, None)
    theirs = loss(name, champion, gates.costs)
    gap = ours - theirs
    blocks = Blocks.for_series(gap, seed)
    interval = blocks.interval(gap, gate.confidence)
    means = float(ours.mean()), float(theirs.mean())
    return _compared(name, gate, len(ours), *means, interval, blocks)


def _of_bins(
    name: str, gate: Gate, candidate: Scored, champion: Scored | None, seed: int
) -> GateResult:
    def figure(scored: Scored) -> float:
        found = scored.reliability
        return found.expected_error if name == "calibration_error" else found.maximum_error

    ours = figure(candidate)
    if champion is None:
        return _compared(name, gate, len(candidate.truth), ours, None, None)
    theirs = figure(champion)
    blocks = Blocks.for_series(candidate.reliability.excess - champion.reliability.excess, seed)
    drawn = [_resampled_error(name, scored, blocks) for scored in (candidate, champion)]
    gap = drawn[0] - drawn[1]
    # Absolute gaps grow by the noise of drawing; taken off, the draws lie around what was found.
    low, high = blocks.between(gap - gap.mean() + (ours - theirs), gate.confidence)
    return _compared(name, gate, len(candidate.truth), ours, theirs, (low, high), blocks)


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
    gate: Gate, candidate: Scored, champion: Scored | None, classes: Sequence[str], seed: int
) -> Iterable[GateResult]:
    ours = 1 - LOSSES["error_rate"](candidate)
    theirs = None if champion is None else 1 - LOSSES["error_rate"](champion)
    blocks = None if theirs is None else Blocks.for_series(ours - theirs, seed)
    for index, name in enumerate(classes):
        among = candidate.truth == index
        if not among.any():
            reason, part = f"no judged row is of class {name}", f"class {name}"
            yield GateResult("per_class_recall", "not_judged", reason, slice=part, rows=0)
            continue
        champions, interval = None, None
        if theirs is not None and blocks is not None:
            champions = float(theirs[among].mean())
            interval = blocks.interval(ours - theirs, gate.confidence, among.astype(np.float64))
        recall = float(ours[among].mean())
        yield _compared(
            "per_class_recall",
            gate,
            int(among.sum()),
            recall,
            champions,
            interval,
            blocks,
            rising=True,
            among=f"class {name}",
        )


def _compared(
    name: str,
    gate: Gate,
    rows: int,
    candidate: float,
    champion: float | None,
    interval: tuple[float, float] | None,
    blocks: Blocks | None = None,
    *,
    rising: bool = False,
    among: str | None = None,
) -> GateResult:
    """Return the verdict on a figure of so many rows; less of it is better, or more if `rising`."""
    low, high = interval or (None, None)
    parts: dict[str, Any] = {"champion": champion, "low": low, "high": high, "slice": among}
    if gate.at_most is not None or gate.at_least is not None:
        absolute = bounded(name, candidate, gate, champion)
        ok, reason = absolute.passed, absolute.reason
    elif low is None or high is None or champion is None:
        ok, reason = True, NO_CHAMPION
    else:
        bound = gate.by or 0.0
        best, worst = (-high, -low) if rising else (low, high)
        ok = worst < bound if gate.better_than else worst <= bound
        wish = "better than the champion" if gate.better_than else f"not worse by {bound:g}"
        reason = f"{wish}: interval {low:+.3f} … {high:+.3f} at {gate.confidence:.0%}"
        if blocks is not None and blocks.length > 1:
            reason += f", blocks of {blocks.length} rows"
        if not ok:
            gap = champion - candidate if rising else candidate - champion
            reason += f"; {_needed(gap, best, worst, bound, rows)}"
    counted = None if among is None else rows
    return GateResult(name, verdict(ok), reason, candidate, rows=counted, **parts)


def _needed(gap: float, best: float, worst: float, bound: float, rows: int) -> str:
    """Return what it would take for a gap, where less is better, to be shown to be below a bound.

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

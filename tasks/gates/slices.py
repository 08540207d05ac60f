"""Slices of the judged rows, and whether the candidate is worse than the champion in one. Pure.

A slice fails if it is *shown* to be worse by more than `not_worse_by`: the whole interval lies
above it. The intervals hold all at once: with m slices that are judged each has the confidence
1 - (1 - confidence) / m (Bonferroni), so that a good candidate is not refused for one of many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.arrays import Floats
from tasks.gates.bootstrap import Blocks
from tasks.gates.contest import Contest
from tasks.gates.gate_result import NO_CHAMPION, GateResult, guarded, verdict
from tasks.gates.losses import NotComputable, Scored, loss
from tasks.spec.gate_options import Gates, SliceOver, SlicePolicy

SliceColumns = Mapping[str, NDArray[Any]]
_MOST_VALUES = 20  # of one column; whoever wants to see smaller ones names them


@dataclass(frozen=True)
class Slice:
    """Some of the judged rows: `rows` is a mask, shape (n,)."""

    name: str
    rows: NDArray[np.bool_]


def judge_slices(
    gates: Gates,
    answers: Contest[Scored],
    classes: Sequence[str],
    categorical: SliceColumns,
    columns: SliceColumns,
    *,
    seed: int,
) -> list[GateResult]:
    """Return a result for every slice, and for every slice column that cannot be used.

    Parameters
    ----------
    answers
        What both say of the judged rows.
    classes
        Names in the order of their index.
    categorical
        The categorical features of the judged rows, each of shape (n,).
    columns
        What `gates.slices.over` may name of those rows, each of shape (n,).
    """
    policy = gates.slices
    found: list[Slice] = []
    results: list[GateResult] = []
    if policy.standard:
        truth = answers.candidate.truth
        found += [Slice(f"class {n}", truth == i) for i, n in enumerate(classes)]
        for name, values in categorical.items():
            found += _of_values(name, values, policy)
    for over in policy.over:

        def declared(over: SliceOver = over) -> list[GateResult]:
            found.extend(_declared(over, columns, policy))
            return []

        results += [
            replace(failure, slice=over.column) for failure in guarded(policy.metric, declared)
        ]
    unique = list({s.name: s for s in found}.values())
    return [*results, *guarded("slices", lambda: _judged(gates, answers, unique, seed))]


def _declared(over: SliceOver, columns: SliceColumns, policy: SlicePolicy) -> list[Slice]:
    if over.column not in columns:
        raise NotComputable(
            f"no column {over.column!r} in the rows; add it to the source, or take it out of "
            "gates.slices.over"
        )
    values = columns[over.column]
    if over.edges:
        return _of_edges(over, values)
    if over.values:
        text = _as_text(values)
        return [Slice(f"{over.column} {v}", text == str(v)) for v in over.values]
    return _of_values(over.column, values, policy)


def _of_values(column: str, values: NDArray[Any], policy: SlicePolicy) -> list[Slice]:
    """Return the largest values that have enough rows, and all others as one slice.

    What few rows share is not named: it may say who they are.
    """
    text = _as_text(values)
    names, counts = np.unique(text, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    large = [names[i] for i in order if counts[i] >= policy.min_rows]
    found = [Slice(f"{column} {name}", text == name) for name in large]
    rest = ~np.isin(text, large)
    if rest.any():
        found.append(Slice(f"{column}, {len(names) - len(large)} other values", rest))
    return found


def _of_edges(over: SliceOver, values: NDArray[Any]) -> list[Slice]:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotComputable(f"{over.column!r} holds no numbers to cut at `edges`") from None
    place = np.searchsorted(over.edges, numbers, side="right")
    known = ~np.isnan(numbers)
    edges = [f"{edge:g}" for edge in over.edges]
    names = [f"below {edges[0]}"]
    names += [f"{low} to {high}" for low, high in pairwise(edges)]
    names.append(f"from {edges[-1]}")
    return [Slice(f"{over.column} {n}", known & (place == i)) for i, n in enumerate(names)]


def _as_text(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "O":
        return np.array(["missing" if v is None or v != v else str(v) for v in values])
    return values.astype(str)


def _judged(
    gates: Gates, answers: Contest[Scored], found: list[Slice], seed: int
) -> list[GateResult]:
    policy = gates.slices
    losses = answers.map(lambda scored: loss(policy.metric, scored, gates.costs))
    enough = sum(bool(s.rows.sum() >= policy.min_rows) for s in found)
    confidence = 1 - (1 - policy.confidence) / max(enough, 1)
    blocks = None
    if losses.champion is not None:
        blocks = Blocks.for_series(losses.candidate - losses.champion, seed)
    return [_one(policy, part, losses, blocks, confidence) for part in found]


def _one(
    policy: SlicePolicy,
    part: Slice,
    losses: Contest[Floats],
    blocks: Blocks | None,
    confidence: float,
) -> GateResult:
    name, count = policy.metric, int(part.rows.sum())
    ours, theirs = losses.candidate, losses.champion
    if count < policy.min_rows:
        reason = f"too few rows: {count}, at least {policy.min_rows} for a verdict"
        return GateResult(name, "not_judged", reason, slice=part.name, rows=count)
    mean = float(ours[part.rows].mean())
    if theirs is None or blocks is None:
        return GateResult(
            *(name, "not_judged", NO_CHAMPION), candidate=mean, slice=part.name, rows=count
        )
    low, high = blocks.interval(ours - theirs, confidence, part.rows.astype(np.float64))
    ok = low <= policy.not_worse_by
    said = "not shown to be" if ok else "shown to be"
    reason = (
        f"{said} worse by more than {policy.not_worse_by:g}: interval {low:+.3f} … {high:+.3f}, "
        f"all slices together at {policy.confidence:.0%}"
    )
    if not ok:
        reason += (
            "; give the fit more of its rows (training.window), or accept it "
            "(gates.slices.not_worse_by)"
        )
    before = float(theirs[part.rows].mean())
    return GateResult(
        name,
        verdict(ok),
        reason,
        candidate=mean,
        champion=before,
        low=low,
        high=high,
        slice=part.name,
        rows=count,
    )

"""What the gate page draws of candidate and champion: counts and means, never a row. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.arrays import Floats
from tasks.gates.contest import Contest
from tasks.gates.losses import Scored

_BINS = 48
_TAIL = 0.005  # of either model's margins that may lie beyond what is drawn


@dataclass(frozen=True)
class Curve:
    """One model: its reliability bins, and the share of its rows in each bin of margins."""

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    rows: tuple[int, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Figures:
    """Both models on the judged rows; `edges` bound the bins of labelled margins.

    The outermost bins also hold what lies beyond them.
    """

    edges: tuple[float, ...]
    candidate: Curve
    champion: Curve | None


def figures(answers: Contest[Scored]) -> Figures:
    """Return the figures of both models on the same rows."""
    ends = [
        np.quantile(scored.margins, [_TAIL, 1 - _TAIL])
        for scored in (answers.candidate, answers.champion)
        if scored is not None
    ]
    low, high = min(-1.0, *(e[0] for e in ends)), max(2.0, *(e[1] for e in ends))
    edges: Floats = np.linspace(low, high, _BINS + 1)
    curves = answers.map(lambda scored: _curve(scored, edges))
    return Figures(tuple(edges.tolist()), curves.candidate, curves.champion)


def _curve(scored: Scored, edges: Floats) -> Curve:
    found = scored.reliability
    counts, _ = np.histogram(np.clip(scored.margins, edges[0], edges[-1]), edges)
    return Curve(
        tuple(found.confidence.tolist()),
        tuple(found.accuracy.tolist()),
        tuple(found.rows.tolist()),
        tuple((counts / len(scored.margins)).tolist()),
    )

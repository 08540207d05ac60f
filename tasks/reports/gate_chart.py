"""The gate page's pictures as inline SVG: no script, no font, no address; the page colours them."""

from __future__ import annotations

import numpy as np

from tasks.gates.curves import Curve, Figures
from tasks.reports.plane import Plane

_HEIGHT = 300


def reliability_chart(figures: Figures) -> str:
    """Return how often decisions were right against how sure they were, bin by bin."""
    curves = _curves(figures)
    least = min(min(*curve.confidence, *curve.accuracy) for _, curve in curves)
    low = min(0.5, np.floor(least * 10) / 10)
    plane = Plane(across=(low, 1), up=(low, 1), height=_HEIGHT)
    parts = [
        plane.axes("confidence", "share of right decisions"),
        f'<polyline class="ideal" points="{plane.points([(low, low), (1, 1)])}"/>',
    ]
    for name, curve in curves:
        pairs = list(zip(curve.confidence, curve.accuracy, strict=True))
        parts.append(f'<polyline class="line {name}" points="{plane.points(pairs)}"/>')
        for (sure, right), rows in zip(pairs, curve.rows, strict=True):
            parts.append(
                f'<circle class="dot {name}" cx="{plane.x(sure):.1f}" cy="{plane.y(right):.1f}" '
                f'r="3.5"><title>{name}: {rows} rows, confidence {sure:.3f}, right {right:.3f}'
                "</title></circle>"
            )
    return plane.svg("Reliability: confidence against the share of right decisions", parts)


def margins(figures: Figures) -> str:
    """Return the share of rows by labelled margin; left of 0 decisions are wrong."""
    curves = _curves(figures)
    edges = figures.edges
    most = max(max(curve.shares) for _, curve in curves) * 1.08
    plane = Plane(across=(edges[0], edges[-1]), up=(0, most), height=_HEIGHT)
    parts = [plane.axes("labelled margin y·f(x)", "share of rows")]
    for name, curve in curves:
        steps = [(edges[0], 0.0)]
        for place, share in enumerate(curve.shares):
            steps += [(edges[place], share), (edges[place + 1], share)]
        steps.append((edges[-1], 0.0))
        parts.append(f'<polyline class="area {name}" points="{plane.points(steps)}"/>')
    parts += [plane.upright(0.0, "wrong | right"), plane.upright(1.0, "margin 1")]
    return plane.svg("Labelled margins of the judged rows", parts)


def interval(low: float, high: float) -> str:
    """Return a bar from low to high beside the line of no difference."""
    reach = max(abs(low), abs(high), 1e-12) * 1.1
    left, right = (50 + 48 * value / reach for value in (low, high))
    return (
        '<svg class="interval" viewBox="0 0 100 12" aria-hidden="true">'
        '<line class="mark" x1="50" x2="50" y1="0" y2="12"/>'
        f'<rect x="{left:.1f}" y="4" width="{max(right - left, 1):.1f}" height="4" rx="2"/></svg>'
    )


def _curves(figures: Figures) -> list[tuple[str, Curve]]:
    """Return champion and candidate by name, the candidate last: on top."""
    both = [("champion", figures.champion), ("candidate", figures.candidate)]
    return [(name, curve) for name, curve in both if curve is not None]

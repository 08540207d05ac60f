"""The gate page's pictures as inline SVG: no script, no font, no address; the page colours them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tasks.gates.curves import Curve, Figures

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 12, 12, 42


class _Plane:
    """Figures → pixels."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y

    def x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def points(self, pairs: Iterable[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in pairs)

    def axes(self, across: Sequence[float], up: Sequence[float], x_name: str, y_name: str) -> str:
        """Return grid lines, their figures, and the names of both axes."""
        parts = []
        for value in up:
            at = self.y(value)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" '
                f'y2="{at:.1f}"/><text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">'
                f"{value:g}</text>"
            )
        for value in across:
            parts.append(
                f'<text x="{self.x(value):.1f}" y="{_HEIGHT - _BOTTOM + 16}" '
                f'text-anchor="middle">{value:g}</text>'
            )
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(
            f'<text class="axis" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{x_name}'
            f'</text><text class="axis" x="12" y="{(_HEIGHT - _BOTTOM) / 2}" text-anchor="middle" '
            f'transform="rotate(-90 12 {(_HEIGHT - _BOTTOM) / 2})">{y_name}</text>'
        )
        return "".join(parts)


def reliability_chart(figures: Figures) -> str:
    """Return how often decisions were right against how sure they were, bin by bin."""
    curves = _curves(figures)
    least = min(min(*curve.confidence, *curve.accuracy) for _, curve in curves)
    low = min(0.5, np.floor(least * 10) / 10)
    plane = _Plane((low, 1), (low, 1))
    ticks = _round_ticks(low, 1)
    parts = [
        plane.axes(ticks, ticks, "confidence", "share of right decisions"),
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
    return _svg("Reliability: confidence against the share of right decisions", parts)


def margins(figures: Figures) -> str:
    """Return the share of rows by labelled margin; left of 0 decisions are wrong."""
    curves = _curves(figures)
    edges = figures.edges
    most = max(max(curve.shares) for _, curve in curves) * 1.08
    plane = _Plane((edges[0], edges[-1]), (0, most))
    ticks = _round_ticks(edges[0], edges[-1]), _round_ticks(0, most)
    parts = [plane.axes(*ticks, "labelled margin y·f(x)", "share of rows")]
    for name, curve in curves:
        steps = [(edges[0], 0.0)]
        for place, share in enumerate(curve.shares):
            steps += [(edges[place], share), (edges[place + 1], share)]
        steps.append((edges[-1], 0.0))
        parts.append(f'<polyline class="area {name}" points="{plane.points(steps)}"/>')
    for value, said in ((0.0, "wrong | right"), (1.0, "margin 1")):
        at = plane.x(value)
        parts.append(
            f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" '
            f'y2="{_HEIGHT - _BOTTOM}"><title>{said}</title></line>'
        )
    return _svg("Labelled margins of the judged rows", parts)


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


def _round_ticks(low: float, high: float) -> list[float]:
    """Return about five round figures from low to high."""
    rough = (high - low) / 5
    size = 10 ** np.floor(np.log10(rough))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough)
    first, last = np.ceil(low / step), np.floor(high / step)
    return [round(float(k * step), 10) + 0.0 for k in np.arange(first, last + 1)]


def _svg(title: str, parts: list[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f"{''.join(parts)}</svg>"
    )

"""A window's pictures as inline SVG that the page colours: margins and probabilities. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from tasks.arrays import Floats
from tasks.drift.grid import Bins
from tasks.drift.reliability_table import TABLE_BINS, ReliabilityTable
from tasks.drift.summary import Distribution
from tasks.reports.plane import Plane

_BARS = 48  # of a histogram
_TAIL = 0.005  # of the rows that may lie beyond what is drawn, on each side


def histogram(
    bins: Bins,
    window: Distribution,
    reference: Distribution,
    name: str,
    beside: Sequence[tuple[Bins, Distribution]] = (),
) -> Markup:
    """Return the shares of rows by margin, of a window over those of its reference.

    `name` is that of the margin, for the axis. Beyond what is drawn lies at most a hundredth of the
    rows of each; the outermost bars hold them. The axes have room for what is drawn `beside` it.
    """
    ours, theirs = (_points(bins, d) for d in (window, reference))
    if not len(ours[0]) and not len(theirs[0]):
        return Markup("")
    others = [_points(*one) for one in beside]
    low, high = _ends([p for p in (ours, theirs, *others) if len(p[0])])
    edges = np.linspace(low, high, _BARS + 1)
    shares = [(kind, _shares(p, edges)) for kind, p in (("reference", theirs), ("window", ours))]
    tops = [share for _, share in shares] + [_shares(p, edges) for p in others]
    most = max(float(share.max(initial=0.0)) for share in tops)
    plane = Plane(across=(low, high), up=(0.0, most * 1.08 or 1.0))
    parts = [plane.axes(name, "share of rows")]
    for kind, share in shares:
        steps = [(float(edges[0]), 0.0)]
        for place, value in enumerate(share.tolist()):
            steps += [(float(edges[place]), value), (float(edges[place + 1]), value)]
        steps.append((float(edges[-1]), 0.0))
        parts.append(f'<polyline class="area {kind}" points="{plane.points(steps)}"/>')
    for value, said in ((0.0, "the border"), (1.0, "margin 1")):
        if low <= value <= high:
            parts.append(plane.upright(value, said))
    return plane.svg(f"Histogram of {name}: window and reference", parts)


def _points(bins: Bins, of: Distribution) -> tuple[Floats, Floats]:
    """Return the mean of each filled bin and the share of rows in it."""
    counts = of.counts[of.counts > 0].astype(np.float64)
    return bins.points(of.counts, of.sums), counts / max(counts.sum(), 1.0)


def _ends(known: Sequence[tuple[Floats, Floats]]) -> tuple[float, float]:
    lows, highs = [-1.0], [2.0]
    for points, shares in known:
        reached = np.cumsum(shares)
        least, most = np.searchsorted(reached, [_TAIL, 1 - _TAIL]).tolist()
        lows.append(float(points[least]))
        highs.append(float(points[min(most, len(points) - 1)]))
    return min(lows), max(highs)


def _shares(of: tuple[Floats, Floats], edges: Floats) -> Floats:
    points, shares = of
    inside = np.clip(points, edges[0], edges[-1])
    return np.asarray(np.histogram(inside, edges, weights=shares)[0], np.float64)


def reliability_picture(table: ReliabilityTable) -> Markup:
    """Return how often what was called probable happened."""
    pairs = [
        (said / weight, happened / weight)
        for said, happened, weight in zip(
            table.probability, table.happened, table.weight, strict=True
        )
        if weight
    ]
    if not pairs:
        return Markup("")
    plane = Plane(across=(0.0, 1.0), up=(0.0, 1.0))
    parts = [
        plane.axes("probability that was said", "share that happened"),
        f'<polyline class="mark" points="{plane.points([(0, 0), (1, 1)])}"/>',
        f'<polyline class="line window" points="{plane.points(pairs)}"/>',
    ]
    for (said, happened), rows in zip(pairs, table.rows[table.weight > 0], strict=True):
        parts.append(
            f'<circle class="bar" cx="{plane.x(said):.1f}" cy="{plane.y(happened):.1f}" r="3">'
            f"<title>{rows:g} rows: said {said:.3f}, happened {happened:.3f}</title></circle>"
        )
    return plane.svg(
        f"Reliability in {TABLE_BINS} bins: on the diagonal what was said happened", parts
    )


def bar(value: float, most: float) -> Markup:
    """Return a bar from the middle, to the right for a rise and to the left for a fall."""
    share = 0.0 if not most else max(-1.0, min(value / most, 1.0)) * 48
    left, name = (50 + min(share, 0.0), "bar less" if share < 0 else "bar")
    return Markup(
        '<svg class="line-bar" viewBox="0 0 100 12" aria-hidden="true">'
        '<line class="mark" x1="50" x2="50" y1="0" y2="12"/>'
        f'<rect class="{name}" x="{left:.1f}" y="3" width="{max(abs(share), 0.5):.1f}" height="6"/>'
        "</svg>"
    )

"""A chart of a model's windows as inline SVG: lines over event time, broken where there is a gap.

Pure. The page that holds it gives the colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from markupsafe import Markup, escape

from tasks.ledger.records import Observation
from tasks.reports.plane import LEFT, RIGHT, WIDTH, Plane
from tasks.reports.plots import Line, Plot
from tasks.reports.timeline import Happening, verdicts_of

_HEIGHT, _TOP, _BOTTOM = 180, 22, 22
_LETTER = 9.0  # pixels between two letters
_DATES = 4  # below a chart
_DOTTED = 60  # windows of which each has a dot: of more they are one band


def line_chart(
    plot: Plot, seen: Sequence[Observation], happened: Iterable[Happening] = ()
) -> Markup:
    """Return the chart of windows in the order of event time, with what happened as letters."""
    known = [v for line in plot.lines for v in line.values if v is not None]
    if not known:
        return Markup("")
    first, last = _seconds(seen[0].window_start), _seconds(seen[-1].window_end)
    low, high = min(0.0, *known), max(0.0, *known)
    plane = Plane(
        across=(first, last),
        up=(low * 1.08, high * 1.12 or (0.0 if low else 1.0)),
        height=_HEIGHT,
        top=_TOP,
        bottom=_BOTTOM,
    )
    parts = [*_blind(plane, seen), plane.rungs(), plane.foot(_dates(seen))]
    parts += [_line(plane, line, seen) for line in plot.lines]
    parts += _letters(plane, happened)
    return plane.svg(f"{plot.title}, by window", parts)


def _blind(plane: Plane, seen: Sequence[Observation]) -> Iterator[str]:
    """Yield the ground behind windows of which nothing can be said."""
    for one in verdicts_of(seen):
        if one.state == "insufficient":
            left, right = plane.x(_seconds(one.since)), plane.x(_seconds(one.until))
            yield (
                f'<rect class="blind" x="{left:.1f}" y="{plane.top}" '
                f'width="{max(right - left, 1):.1f}" height="{plane.floor - plane.top}">'
                "<title>insufficient</title></rect>"
            )


def _line(plane: Plane, line: Line, seen: Sequence[Observation]) -> str:
    parts = []
    for run in _unbroken(line, seen):
        if len(run) > 1:
            parts.append(f'<polyline class="line {line.style}" points="{plane.points(run)}"/>')
        if line.style == "value" and (len(run) == 1 or len(seen) <= _DOTTED):
            parts += [
                f'<circle class="dot" cx="{plane.x(at):.1f}" cy="{plane.y(value):.1f}" r="2.2"/>'
                for at, value in run
            ]
        elif len(run) == 1:
            parts.append(_dash(plane, line, *run[0]))
    return "".join(parts)


def _dash(plane: Plane, line: Line, at: float, value: float) -> str:
    """Return a short stroke: a line of one window has no length."""
    x, y = plane.x(at), plane.y(value)
    return f'<polyline class="line {line.style}" points="{x - 6:.1f},{y:.1f} {x + 6:.1f},{y:.1f}"/>'


def _unbroken(line: Line, seen: Sequence[Observation]) -> Iterator[list[tuple[float, float]]]:
    """Yield the stretches of windows that have a value, each at the middle of its window."""
    run: list[tuple[float, float]] = []
    before: Observation | None = None
    for one, value in zip(seen, line.values, strict=True):
        apart = before is not None and one.window_start - before.window_end > (
            (one.window_end - one.window_start) / 2
        )
        if (value is None or apart) and run:
            yield run
            run = []
        if value is not None:
            run.append(((_seconds(one.window_start) + _seconds(one.window_end)) / 2, value))
        before = one
    if run:
        yield run


def _letters(plane: Plane, happened: Iterable[Happening]) -> Iterator[str]:
    last = float("-inf")
    for one in sorted(happened, key=lambda e: e.at):
        at = _seconds(one.at)
        if not plane.across[0] <= at <= plane.across[1]:
            continue
        yield plane.upright(at, one.text)
        place = max(plane.x(at), last + _LETTER)  # several at one moment stand in a row
        last = place
        if LEFT - 4 <= place <= WIDTH - RIGHT + 8:  # the table has them all
            yield (
                f'<text class="letter" x="{place:.1f}" y="{plane.top - 5}">'
                f"{escape(one.letter)}</text>"
            )


def _dates(seen: Sequence[Observation]) -> list[tuple[float, str]]:
    """Return about four of the windows' beginnings."""
    step = max(1, -(-len(seen) // _DATES))
    places = range(step // 2, len(seen), step)
    return [(_seconds(seen[i].window_start), f"{seen[i].window_start:%Y-%m-%d}") for i in places]


def _seconds(moment: datetime) -> float:
    return moment.timestamp()

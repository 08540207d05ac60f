"""Verdicts over the windows as one strip: inline SVG, no script, no style of its own. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from markupsafe import Markup

from tasks.ledger.records import Observation
from tasks.spec.model import ModelSpec

ShownVerdict: TypeAlias = Literal["steady", "drifting", "insufficient", "missing"]
CELLS = 180  # of a strip: a finer one is not seen on a screen
_HEIGHT = 24
# Height and place tell verdicts apart, the colour only helps; a gap is drawn as a gap.
_BARS: dict[ShownVerdict, tuple[int, int]] = {
    "drifting": (0, 24),
    "steady": (14, 10),
    "insufficient": (20, 4),
}
_WORST: tuple[ShownVerdict, ...] = ("missing", "steady", "insufficient", "drifting")


@dataclass(frozen=True, kw_only=True)
class VerdictRun:
    """Windows in a row of one verdict; `missing` are those of the grid that nobody measured."""

    verdict: ShownVerdict
    windows: int


def runs_of(spec: ModelSpec, seen: Sequence[Observation]) -> tuple[VerdictRun, ...]:
    """Return verdicts as runs of equal ones, with the windows that are missing in between."""
    found: list[VerdictRun] = []

    def add(verdict: ShownVerdict, windows: int) -> None:
        if found and found[-1].verdict == verdict:
            windows += found.pop().windows
        found.append(VerdictRun(verdict=verdict, windows=windows))

    before: datetime | None = None
    for one in seen:
        # Half a window of slack: those of a clock change differ by an hour.
        if before is not None and one.window_start - before > spec.window.every / 2:
            add("missing", max(1, round((one.window_start - before) / spec.window.every)))
        add(_shown(one.verdict), 1)
        before = one.window_end
    return tuple(found)


def _shown(verdict: str) -> ShownVerdict:
    known: tuple[ShownVerdict, ...] = ("steady", "drifting")
    return next((v for v in known if v == verdict), "insufficient")


def strip(runs: Sequence[VerdictRun], newest: int | None = None, *, wide: bool = False) -> Markup:
    """Return the strip of the newest windows, all if `newest` is None.

    Where there are more windows than CELLS, a cell shows the worst verdict of its windows.
    """
    shown = _last(runs, newest)
    total = sum(run.windows for run in shown)
    if not total:
        return Markup('<span class="none">no window yet</span>')
    cells = shown if total <= CELLS else _coarser(shown, total)
    width = sum(run.windows for run in cells)
    bars, x = [], 0
    for run in cells:
        if (bar := _BARS.get(run.verdict)) is not None:
            y, height = bar
            bars.append(
                f'<rect class="{run.verdict}" x="{x}" y="{y}" width="{run.windows}" '
                f'height="{height}"/>'
            )
        x += run.windows
    name = "strip wide" if wide else "strip"
    return Markup(  # figures and our own words alone
        f'<svg class="{name}" viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{told(shown)}">{"".join(bars)}</svg>'
    )


def at_a_glance(runs: Sequence[VerdictRun]) -> str:
    """Return for people what a strip of all windows shows, and how many windows a bar stands for.

    The worst hides the others of its bar, so that the counts stand beside it.
    """
    total = sum(run.windows for run in runs)
    if total <= CELLS:
        return ""
    return f"{_counts(runs)}. A bar stands for {-(-total // CELLS)} windows: the worst of them."


def told(runs: Sequence[VerdictRun]) -> str:
    """Return what a strip shows as a sentence."""
    last = runs[-1]
    return f"{_counts(runs)}; the newest {last.windows:,} {last.verdict}"


def _counts(runs: Sequence[VerdictRun]) -> str:
    counts: Counter[str] = Counter()
    for run in runs:
        counts[run.verdict] += run.windows
    total = sum(counts.values())
    parts = ", ".join(f"{counts[v]:,} {v}" for v in reversed(_WORST) if counts[v])
    return f"{total:,} windows: {parts}"


def _last(runs: Sequence[VerdictRun], newest: int | None) -> list[VerdictRun]:
    if newest is None:
        return list(runs)
    found: list[VerdictRun] = []
    left = newest
    for run in reversed(runs):
        if left <= 0:
            break
        found.append(VerdictRun(verdict=run.verdict, windows=min(run.windows, left)))
        left -= run.windows
    return found[::-1]


def _coarser(runs: Sequence[VerdictRun], total: int) -> list[VerdictRun]:
    """Return CELLS cells, each of the worst verdict in it, as runs."""
    worst: list[ShownVerdict] = ["missing"] * CELLS
    start = 0
    for run in runs:
        end = start + run.windows
        for cell in range(start * CELLS // total, -(-end * CELLS // total)):
            if _WORST.index(run.verdict) > _WORST.index(worst[cell]):
                worst[cell] = run.verdict
        start = end
    found: list[VerdictRun] = []
    for verdict in worst:
        windows = 1
        if found and found[-1].verdict == verdict:
            windows += found.pop().windows
        found.append(VerdictRun(verdict=verdict, windows=windows))
    return found

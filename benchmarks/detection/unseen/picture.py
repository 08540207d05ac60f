"""The unseen streams as one figure: what a policy brings where there is a gain, and where not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.detection.unseen.measure import OURS
from benchmarks.detection.unseen.tables import Board, Column, title
from tasks.reports.chart import tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _PALE = "#333333", "#d9d9d9"
_DRAWN = {
    "KS, all rows": ("KS > 0.1 twice, refit", "^", "#9a9a9a"),
    "ADWIN, all rows": ("ADWIN on errors, refit", "s", "#c9a227"),
    "DDM, all rows": ("DDM on errors, refit", "D", "#b0643c"),
    OURS: (OURS, "o", "#3b5b92"),
}
_HEAD: dict[str, Any] = {"fontsize": 10, "loc": "left", "color": _INK}
_LOW, _HIGH = -0.25, 1.5  # shares beyond are drawn at the edge
_WORST = -2.0  # points


def write(board: Board, folder: Path) -> str:
    """Draw the board to a file of the folder, and return what shows it in a page beside it."""
    draw(board, folder / "unseen.svg")
    said = "Share of the gain by stream, and points against never where there is nothing to gain"
    return f"![{said}](unseen.svg)"


def draw(board: Board, path: Path) -> None:
    """Draw the board to an .svg file, the same for the same figures."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    gain = board.kind("gain")
    others = [*board.kind("quiet"), *board.kind("outage")]
    figure = Figure(figsize=(12, 0.32 * max(len(gain), len(others)) + 1.3), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _panel(left, gain, [column.shares for column in gain], (_LOW, _HIGH))
    left.axvline(1, color=_INK, linewidth=0.9, linestyle="--", zorder=0)
    left.set_title("share of the gain of a refit on all rows after every window (dashed)", **_HEAD)
    _panel(right, others, [column.spread for column in others], (_WORST, 1.0))
    right.set_title("nothing to gain, or an outage: points against never", **_HEAD)
    handles, names = left.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower left", ncols=4, frameon=False, fontsize=9)
    with rc_context({"svg.hashsalt": "unseen"}):  # else ids are drawn at random
        figure.savefig(path, metadata={"Date": None})


def _panel(
    axes: Axes, columns: list[Column], figures: list[Any], limits: tuple[float, float]
) -> None:
    """Draw a line for each stream, and on it each policy's mean, with ours' spread."""
    axes.axvline(0, color=_INK, linewidth=0.9, zorder=0)
    low, high = limits
    for place, figure in enumerate(figures):
        axes.axhline(place, color=_PALE, linewidth=0.6, zorder=0)
        for policy, (name, marker, colour) in _DRAWN.items():
            mean, least, most = (min(max(v, low), high) for v in figure(policy))
            if policy == OURS:
                axes.plot([least, most], [place, place], color=colour, linewidth=2, alpha=0.5)
            label = name if not place else None
            size = 7 if policy == OURS else 5
            axes.plot(
                mean, place, marker, color=colour, markersize=size, label=label, clip_on=False
            )
    axes.set_yticks(range(len(columns)), [title(column) for column in columns])
    axes.set_ylim(len(columns) - 0.5, -0.5)
    axes.set_xlim(low, high)
    tidy(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)

"""A model's windows as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.ledger.records import Observation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"steady": "#4c8c6b", "drifting": "#c8553d", "insufficient": "#9a9a9a"}


def of_windows(windows: Sequence[Observation]) -> str:
    """Return an SVG: each window's change against its limit, and its accuracy where labelled."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    labelled = any(o.numbers.accuracy is not None for o in windows)
    # Airflow shows images 300 pixels wide: small figure, few words.
    figure = Figure(figsize=(4.6, 3.0 if labelled else 2.0), layout="constrained")
    panels: Any = figure.subplots(2 if labelled else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw_pressure(panels[0], windows)
    if labelled:
        _draw_accuracy(panels[1], windows)
    shown = range(0, len(windows), max(1, -(-len(windows) // 4)))
    panels[-1].set_xticks(shown, [f"{windows[i].window_start:%Y-%m-%d}" for i in shown])
    out = io.StringIO()
    with rc_context({"svg.hashsalt": "windows"}):  # else its ids are drawn at random
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _draw_pressure(axes: Axes, windows: Sequence[Observation]) -> None:
    # Even a window without any change, or without a verdict, shows as a stroke.
    heights = [max(o.pressure or 0.0, 0.04) for o in windows]
    axes.bar(range(len(windows)), heights, color=[COLOURS[o.verdict] for o in windows])
    axes.axhline(1.0, color="#333333", linewidth=1, linestyle="--")
    axes.set_title("change ÷ limit", fontsize=9, loc="left")
    axes.set_ylim(0, max(1.5, *heights) * 1.08)
    tidy(axes)


def _draw_accuracy(axes: Axes, windows: Sequence[Observation]) -> None:
    accuracies = [o.numbers.accuracy for o in windows]
    points = [(i, accuracy) for i, accuracy in enumerate(accuracies) if accuracy is not None]
    axes.plot(*zip(*points, strict=True), color="#3b5b92", marker="o", markersize=3)
    axes.set_title("accuracy", fontsize=9, loc="left")
    tidy(axes)


def tidy(axes: Axes) -> None:
    """Take away what carries no figure."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)

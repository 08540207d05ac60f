"""A replay as one figure for a review: accuracy, pressure, the latch, what retrains bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.replay.replay_report import Report, chosen
from tasks.replay.trial import OURS, Policy, Trial, frontier
from tasks.reports.chart import COLOURS, tidy
from tasks.spec.part import format_duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _SWEPT, _NEVER, _ORACLE, _INK = "#3b5b92", "#8fa5c9", "#9a9a9a", "#c9a227", "#333333"
_LATCH = {"closed": "#b4b4b4", "open": COLOURS["drifting"], "resting": "#dba958"}
_TICKS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
_SMOOTH = 40  # the running median reaches this fraction of all windows to either side


def draw(report: Report, path: Path) -> None:
    """Draw the report to an .svg, .png or .pdf file."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    tried = report.tried
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=(3, 1.15), height_ratios=(3, 2, 0.28))
    accuracy = figure.add_subplot(grid[0, 0])
    pressure = figure.add_subplot(grid[1, 0], sharex=accuracy)
    latch = figure.add_subplot(grid[2, 0], sharex=accuracy)
    against = figure.add_subplot(grid[0:2, 1])
    _accuracy(accuracy, report)
    _pressure(pressure, tried)
    _latch(latch, tried)
    _against(against, report)
    for axes in (accuracy, pressure):
        axes.tick_params(labelbottom=False)
    figure.suptitle(_title(report), x=0.01, ha="left", fontsize=12)
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    with rc_context({"svg.hashsalt": tried.spec.digest}):  # else ids are drawn at random
        figure.savefig(path, dpi=150, metadata=metadata)


def _title(report: Report) -> str:
    tried = report.tried
    ours, never = tried.ours.means[0], tried.never
    figures = f"accuracy {ours:.3f}, without any {never:.3f}" if ours and never else "no labels"
    length, count = format_duration(tried.spec.window.every), len(tried.ours.retrains)
    windows = f"{len(tried.played.steps)} windows of {length}"
    return f"{tried.spec.model}: {count} retrain{'s' * (count != 1)} in {windows}, {figures}"


def _times(tried: Trial) -> tuple[Any, Any]:
    """Return the windows' starts, in days since 1970 as matplotlib counts them, and lengths."""
    windows = tried.history.windows[tried.played.first :]
    days = np.array([(w.start.timestamp(), w.end.timestamp()) for w in windows]) / 86_400
    return days[:, 0], days[:, 1] - days[:, 0]


def _accuracy(axes: Axes, report: Report) -> None:
    tried = report.tried
    starts, lengths = _times(tried)
    middle = starts + lengths / 2
    ours = tried.ours
    lines = [(ours.name, _OURS, ours), *_rivals(report)]
    ends = []
    for name, colour, policy in reversed(lines):
        values = policy.rates[0]
        smooth = _running_median(values, len(values) // _SMOOTH)
        if policy is ours or name == "never":
            axes.plot(middle, values, color=colour, linewidth=0.6, alpha=0.5)
        axes.plot(middle, smooth, color=colour, linewidth=1.8)
        known = smooth[~np.isnan(smooth)]
        if len(known):
            ends.append((float(known[-1]), name, colour))
    for retrain in tried.played.retrains:
        at = starts[retrain.index - tried.played.first] + lengths[0]
        style = "-" if retrain.version is not None else ":"
        axes.axvline(at, color=_INK, linewidth=0.9, linestyle=style, zorder=0)
    _label_ends(axes, ends)
    axes.set_title(
        "accuracy, and its running median; vertical: retrained (dotted: refused)", **_HEAD
    )
    axes.set_xlim(starts[0] - lengths[0] / 2, starts[-1] + lengths[-1] * 1.5)
    tidy(axes)


_HEAD: dict[str, Any] = {"fontsize": 9, "loc": "left", "color": _INK}


def _rivals(report: Report) -> list[tuple[str, str, Policy]]:
    """Return `never`, and the oracle with as many retrains as ours."""
    ours = len(report.tried.ours.retrains)
    found = {p.name: p for p in report.others}
    wanted = [("never", "never", _NEVER), (f"oracle {ours}", f"oracle {ours}", _ORACLE)]
    return [(label, colour, found[name]) for name, label, colour in wanted if name in found]


def _running_median(values: Any, reach: int) -> Any:
    """Return the median over each value and its neighbours within `reach`; a step stays a step."""
    around = [values[max(i - reach, 0) : i + reach + 1] for i in range(len(values))]
    known = [part[~np.isnan(part)] for part in around]
    return np.array([np.median(part) if len(part) else np.nan for part in known])


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's name at its end, far enough from the others."""
    low, high = axes.get_ylim()
    least = (high - low) / 14
    places: list[float] = []
    for value, _, _ in sorted(ends):
        places.append(max([value, *(place + least for place in places[-1:])]))
    moved = float(np.mean(places) - np.mean([value for value, _, _ in ends])) if ends else 0.0
    for place, (_, name, colour) in zip(places, sorted(ends), strict=True):
        _beside(axes, place - moved, name, colour)


def _beside(axes: Axes, at: float, text: str, colour: str) -> None:
    """Write a text to the right of the panel, at a height in the panel's unit."""
    axes.annotate(
        text,
        (1.005, at),
        xycoords=("axes fraction", "data"),
        color=colour,
        fontsize=9,
        va="center",
        annotation_clip=False,
    )


def _pressure(axes: Axes, tried: Trial) -> None:
    starts, lengths = _times(tried)
    said = [step.judgement for step in tried.played.steps]
    heights = np.array([max(s.pressure or 0.0, 0.02) for s in said])
    colours = [COLOURS[s.verdict] for s in said]
    axes.bar(starts, heights, lengths * 0.9, align="edge", color=colours)
    blind = [s.verdict == "insufficient" for s in said]
    if any(blind):
        at = (starts + lengths / 2)[blind]
        axes.plot(at, np.full(len(at), 0.12), "x", color=COLOURS["insufficient"], markersize=4)
    axes.axhline(1.0, color=_INK, linewidth=1, linestyle="--")
    _beside(axes, 1.0, "limit", _INK)
    axes.set_title("change ÷ limit of each window", **_HEAD)
    _name_colours(axes, {name: COLOURS[name] for name in sorted({s.verdict for s in said})})
    axes.set_ylim(0, max(1.5, *heights) * 1.08)
    tidy(axes)


def _name_colours(axes: Axes, colours: Mapping[str, str]) -> None:
    """Write the colours' names above the right end, each in its colour."""
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

    named = [
        TextArea(name, textprops={"color": colour, "fontsize": 9, "fontweight": "bold"})
        for name, colour in colours.items()
    ]
    row = HPacker(children=list(named), pad=0, sep=9)
    box = AnchoredOffsetbox(
        "lower right",
        child=row,
        frameon=False,
        bbox_to_anchor=(1.0, 1.0),
        bbox_transform=axes.transAxes,
        pad=0.2,
        borderpad=0,
    )
    box.set_in_layout(False)
    axes.add_artist(box)


def _latch(axes: Axes, tried: Trial) -> None:
    import matplotlib.dates

    starts, lengths = _times(tried)
    states = [step.latch.state for step in tried.played.steps]
    for state, group in groupby(range(len(states)), key=lambda i: states[i]):
        run = list(group)
        width = starts[run[-1]] + lengths[run[-1]] - starts[run[0]]
        axes.barh(0, width, left=starts[run[0]], height=1, color=_LATCH[state])
    dates: Any = matplotlib.dates  # it has no types
    locator = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes.set_yticks([])
    axes.set_ylim(-0.5, 0.5)
    axes.set_title("latch", **_HEAD)
    _name_colours(axes, {name: _LATCH[name] for name in sorted(set(states))})
    tidy(axes)
    axes.spines["left"].set_visible(False)


def _against(axes: Axes, report: Report) -> None:
    from matplotlib.ticker import NullLocator

    ours = report.tried.ours
    others = chosen(ours, report.others)
    oracles = [p for p in report.others if p.name.startswith("oracle")]
    _points(axes, oracles, _ORACLE, join=True)
    _points(axes, [p for p in others if p not in oracles], _NEVER)
    swept = [point.ours for _, point in report.sweep]
    on = [policy for policy, good in zip(swept, frontier(swept), strict=True) if good]
    _points(axes, swept, _SWEPT)
    _points(axes, sorted(on, key=lambda p: len(p.retrains)), _SWEPT, join=True)
    _points(axes, [ours], _OURS)
    most = max(len(p.retrains) for p in (ours, *others))
    axes.set_xscale("symlog", linthresh=4)
    axes.set_xlim(-0.4, max(most, 8) * 1.3)
    axes.set_xticks([tick for tick in _TICKS if tick <= max(most, 8)])
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    note = "; pale: the sweep" if swept else ""
    axes.set_title(f"mean accuracy against retrains{note}", **_HEAD)
    _name_points(axes, (ours, *others))
    tidy(axes)


def _name_points(axes: Axes, policies: Sequence[Policy]) -> None:
    """Write each policy's name beside its point, and higher where another name is."""
    known = [(len(p.retrains), p.means[0] or 0.0, p.name) for p in policies if p.means[0]]
    figure = axes.get_figure()
    assert figure is not None
    point = figure.dpi / 72  # in the figure's pixels
    taken: list[tuple[float, float]] = []
    for x, y, name in sorted(known, key=lambda item: item[1]):
        right, at = axes.transData.transform((x, y))
        near = [b for a, b in taken if abs(a - right) < 70 * point and abs(b - at) < 10 * point]
        lift = max([0.0, *(b + 10 * point - at for b in near)])
        taken.append((right, at + lift))
        axes.annotate(
            name,
            (x, y),
            xytext=(5, -3 + lift / point),
            textcoords="offset points",
            fontsize=8,
            color=_OURS if name == OURS else _INK,
        )


def _points(axes: Axes, policies: Sequence[Policy], colour: str, join: bool = False) -> None:
    known = [(len(p.retrains), p.means[0]) for p in policies if p.means[0] is not None]
    if known:
        style = "o-" if join else "o"
        axes.plot(*zip(*known, strict=True), style, color=colour, markersize=5, linewidth=1)

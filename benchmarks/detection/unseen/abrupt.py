"""An abrupt change as the policy handles it, in one picture and three figures.

$ python -m benchmarks.detection.unseen.abrupt docs/abrupt.svg
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.detection.scenarios import Scenario
from benchmarks.detection.streams import Floats
from benchmarks.detection.unseen import policies
from benchmarks.detection.unseen.figures import Reign, accuracy, windows
from benchmarks.detection.unseen.made import CHANGE
from benchmarks.detection.unseen.refits import Refits
from benchmarks.detection.unseen.streams import STREAMS
from tasks.drift.episode import breach_of
from tasks.replay.trial import Trial, trial
from tasks.reports.chart import COLOURS, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _NEVER, _ALWAYS, _INK = "#3b5b92", "#9a9a9a", "#c9a227", "#333333"
_BEFORE, _AFTER = 8, 16  # windows that are shown about the change
_HEAD: dict[str, Any] = {"fontsize": 9, "loc": "left", "color": _INK}


def write(path: Path, seed: int = 0) -> str:
    """Play the stream `abrupt` of a seed, draw it, and return the mean accuracies in a line.

    Parameters
    ----------
    path
        The .svg or .png file to draw to.
    """
    it = STREAMS["abrupt"].make(seed)
    start = it.history.windows[it.first].start
    tried = trial(it.spec, it.history, start, it.span, lambda name, total: lambda: None)
    always = rates(it, policies.every(it, Refits(it), 1, "all rows"))
    draw(tried, always, path)
    ours, count = tried.ours.means[0], len(always)
    told = f"never {tried.never:.3f}, refit after every window {always.mean():.3f}"
    return f"accuracy of {count} windows: {told}, Gatelatch {ours:.3f}"


def rates(it: Scenario, reigns: Sequence[Reign]) -> Floats:
    """Return the accuracy of whoever rules, shape (windows,)."""
    ends = [*(reign.since for reign in reigns), windows(it)]
    spans = zip(reigns, pairwise(ends), strict=True)
    return np.array([accuracy(it, r.model, w) for r, ends in spans for w in range(*ends)])


def draw(tried: Trial, always: Floats, path: Path) -> None:
    """Draw a trial beside the accuracy of a refit before every window, the same for the same."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(9, 1))
    first = tried.played.first
    shown = range(CHANGE - _BEFORE - first, CHANGE + _AFTER - first)
    at = np.array(shown) + first + 0.5
    never = tried.played.rates[0, 0]
    for name, colour, style, values in (
        ("never retrained", _NEVER, "-", never),
        ("refit after every window on the last 8", _ALWAYS, "--", always),
        ("Gatelatch", _OURS, "-", tried.ours.rates[0]),
    ):
        line = upper.plot(at, values[shown], style, color=colour, label=name, linewidth=1.8)
        line[0].set(marker="o", markersize=3)
    upper.legend(loc="lower right", bbox_to_anchor=(1, 0.14), frameon=False, fontsize=9)
    upper.set_title("accuracy by window", **_HEAD)
    upper.set_ylim(0.25, 1.12)
    upper.set_yticks([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    upper.tick_params(bottom=False)
    tidy(upper)
    upper.spines["bottom"].set_visible(False)
    _verdicts(lower, tried, shown)
    _marks(upper, lower, tried)
    with rc_context({"svg.hashsalt": "abrupt"}):  # else ids are drawn at random
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _verdicts(axes: Axes, tried: Trial, shown: Sequence[int]) -> None:
    for step in (tried.played.steps[place] for place in shown):
        axes.barh(0, 0.94, left=step.index + 0.03, color=COLOURS[step.judgement.verdict])
    axes.set_title("verdict: green steady, red drifting", **_HEAD)
    axes.set_xlabel("window", fontsize=9, color=_INK)
    axes.set_yticks([])
    axes.set_xlim(shown[0] + tried.played.first, shown[-1] + tried.played.first + 1)
    tidy(axes)
    axes.spines[["left", "bottom"]].set_visible(False)


def _marks(upper: Axes, lower: Axes, tried: Trial) -> None:
    """Draw where the stream changes, when it is seen, and what is then asked and promoted."""
    for axes in (upper, lower):
        axes.axvline(CHANGE, color=_INK, linewidth=1, linestyle=":", zorder=0)
    _say(upper, CHANGE, 1.06, "the rule turns by 120°", "right")
    for retrain in tried.played.retrains:
        index = {w.start: i for i, w in enumerate(tried.history.windows)}
        since = breach_of(retrain.episode)
        breach = index[since] + 1 if since else retrain.index + 1
        asked = retrain.index + 1
        upper.axvline(breach, color=COLOURS["drifting"], linewidth=1, linestyle=":", zorder=0)
        upper.axvline(asked, color=_OURS, linewidth=1, zorder=0)
        _say(upper, breach, 1.06, "first\nbreach", "left", COLOURS["drifting"])
        span = retrain.tried[retrain.taken]
        said = "promoted" if retrain.version is not None else "refused by the gates"
        told = f"asked, retrained, {said}:\nlearnt from {span.rows:,} rows {span.name}"
        _say(upper, asked, 1.06, told, "left", _OURS)


def _say(axes: Axes, at: float, height: float, text: str, side: str, colour: str = _INK) -> None:
    axes.annotate(
        text,
        (at, height),
        xytext=(4 if side == "left" else -4, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        color=colour,
        fontsize=9,
    )


if __name__ == "__main__":
    print(write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/abrupt.svg")))

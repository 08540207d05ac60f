"""The stored form of a summary: filled bins only, with the number of its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks import formats
from tasks.drift import reliability_table
from tasks.drift.grid import Bins, Grid
from tasks.drift.loss_sums import Losses
from tasks.drift.moments import Moments
from tasks.drift.summary import Distribution, Summary
from tasks.spec.windows import Window

SUMMARY_FORMAT = 2  # of the JSON; 1 had equal bins and squares instead of roots
OLDER_SUMMARY = "run the window again, and retrain a model whose reference is of another format"
_EXACT = 2**53  # whole numbers below are exact


def summary_path(
    model: str, version: int, window: Window, spec_digest: str, data_digest: str
) -> str:
    """Return where the store has the summary of a window's rows under a version."""
    return f"summaries/{model}/v{version}/{window.name}-{spec_digest}-{data_digest}.json"


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as JSON-ready values; histograms hold their filled bins only."""
    grid = summary.grid
    return {
        "format": SUMMARY_FORMAT,
        "grid": {"scores": _bins_to_json(grid.scores), "margins": _bins_to_json(grid.margins)},
        "scores": _distribution_to_json(summary.scores, grid.scores),
        "margins": _distribution_to_json(summary.margins, grid.margins),
        "inside": summary.inside,
        "losses": vars(summary.losses),
        "classes": {name: vars(losses) for name, losses in summary.classes.items()},
        "features": {name: vars(moments) for name, moments in summary.features.items()},
        "contributions": dict(summary.contributions),
        "class_contributions": {n: dict(c) for n, c in summary.class_contributions.items()},
        "reliability": reliability_table.reliability_to_json(summary.reliability),
        "capped": dict(summary.capped),
    }


def summary_from_json(raw: Mapping[str, Any], what: str = "summary") -> Summary:
    """Return the summary that `summary_to_json` wrote.

    Raises formats.OtherFormat, which names `what`.
    """
    return formats.load_stored(what, raw, {SUMMARY_FORMAT: _read}, OLDER_SUMMARY)


def summary_in(content: bytes, what: str) -> Summary:
    """Return the summary in a file of the store.

    Raises formats.OtherFormat, or formats.Damaged if no release wrote it; both name `what`.
    """
    with formats.undamaged(what):
        raw = formats.parsed_json(content)
    return summary_from_json(raw, what)


def _read(raw: Mapping[str, Any]) -> Summary:
    kinds = (_bins_from_json(raw["grid"][kind]) for kind in ("scores", "margins"))
    grid = Grid(*kinds)
    return Summary(
        grid=grid,
        scores=_distribution_from_json(raw["scores"], grid.scores),
        margins=_distribution_from_json(raw["margins"], grid.margins),
        inside=raw["inside"],
        losses=sums_from_json(raw["losses"]),
        classes={name: sums_from_json(losses) for name, losses in raw["classes"].items()},
        features={name: Moments(**moments) for name, moments in raw["features"].items()},
        contributions=raw["contributions"],
        class_contributions=raw["class_contributions"],
        reliability=reliability_table.reliability_from_json(raw["reliability"]),
        capped=raw.get("capped", {}),  # those from before there was a cap have none
    )


def sums_from_json(raw: Mapping[str, Any]) -> Losses:
    """Return the sums of losses that a stored summary holds, whatever else it holds."""
    # Of no row every sum is known.
    return Losses(**{"squared_margin": None if raw["rows"] else 0.0, **raw})


def _bins_to_json(bins: Bins) -> dict[str, Any]:
    return {"edges": list(bins.edges), "centre": bins.centre, "unit": bins.unit}


def _bins_from_json(raw: Mapping[str, Any]) -> Bins:
    return Bins(tuple(raw["edges"]), raw["centre"], raw["unit"])


def _distribution_to_json(distribution: Distribution, bins: Bins) -> dict[str, Any]:
    """Return filled bins only: by how many each is behind the one before, counts, and sums.

    The sums count from where each bin begins, which takes fewer digits.
    """
    filled = np.flatnonzero(distribution.counts)
    counts = distribution.counts[filled]
    sums = distribution.sums[filled] - counts * bins.lefts[filled]
    return {
        "steps": np.diff(filled, prepend=0).tolist(),
        "counts": counts.tolist(),
        "sums": [int(s) if abs(s) < _EXACT else s for s in sums.tolist()],
        "moments": vars(distribution.moments),
    }


def _distribution_from_json(raw: Mapping[str, Any], bins: Bins) -> Distribution:
    filled = np.cumsum(np.array(raw["steps"], dtype=np.int64))
    counts, sums = np.zeros(len(bins), dtype=np.int64), np.zeros(len(bins))
    counts[filled] = raw["counts"]
    sums[filled] = np.array(raw["sums"], dtype=np.float64) + counts[filled] * bins.lefts[filled]
    return Distribution(counts, sums, Moments(**raw["moments"]))

"""How often the calibration's latch opens: on streams in which nothing changes, and after noise.

    python -m benchmarks.detection.calibrated

The streams are those of the false alarms of drift. Each year has a reference of 20 windows' rows,
and a sigmoid of its own, learnt on the first 15 of the 35 % that the fit did not see.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.detection.budget import RHOS, Rate, openings
from benchmarks.detection.specs import spec_of
from benchmarks.detection.streams import Floats, Ints, stationary
from tasks.classifier.margins import margin
from tasks.drift.grid import Grid
from tasks.drift.latch import Reading
from tasks.drift.probabilities import judge_probabilities
from tasks.drift.reference import reference_from_blocks
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Summary, summarise
from tasks.spec.model import ModelSpec
from tasks.spec.windows import windows_between

YEARS = {200: 60, 2_000: 20}
NOISE = 0.3  # share of the labels that a coin then decides anew
_WEEKS, _REFERENCE = 52, 20
_POLICIES = {"default effect": {}, "limit alone": {"effect": 1e-9}}


def year(rows: int, rho: float, number: int, noise: float, spec: ModelSpec) -> list[Reading]:
    """Return a year's readings of the calibration; `noise` spoils so many labels of its windows."""
    from sklearn.calibration import _SigmoidCalibration

    rng = np.random.default_rng([rows, round(100 * rho), number])
    accepted = _REFERENCE * rows
    decision, label = stationary(rng, accepted + _WEEKS * rows, rho)
    spoilt = (rng.random(len(label)) < noise) & (np.arange(len(label)) >= accepted)
    label = np.where(spoilt, rng.integers(0, 2, len(label)), label)
    fit, calibrated = round(0.65 * accepted), round(0.80 * accepted)
    learnt = slice(fit, calibrated)
    sigmoid = _SigmoidCalibration().fit(decision[learnt], label[learnt])
    positive = sigmoid.predict(decision)
    held = decision[fit:accepted]
    grid = Grid.around(held, margin(held, label[fit:accepted]))

    def blocks(part: slice) -> list[Summary]:
        count = max(1, round((part.stop - part.start) / rows))
        edges = np.linspace(part.start, part.stop, count + 1).astype(int)
        return [_of(grid, decision[a:b], label[a:b], positive[a:b]) for a, b in pairwise(edges)]

    reference = reference_from_blocks([blocks(slice(0, fit)), blocks(slice(fit, accepted))], 1)
    windows = blocks(slice(accepted, len(label)))
    start = spec.window.start
    tiles = list(windows_between(spec.window, start, start + _WEEKS * spec.window.every))
    said = [judge_probabilities(window, reference, spec) for window in windows]
    return [Reading(w, 1, s.verdict, s.pressure) for w, s in zip(tiles, said, strict=True)]


def _of(grid: Grid, decision: Floats, label: Ints, positive: Floats) -> Summary:
    table = ReliabilityTable.of(np.column_stack([1 - positive, positive]), label)
    return summarise(grid, decision, label, ("0", "1"), {}, reliability=table)


def main() -> None:
    """Print the table of openings a year, and of years in which noise was noticed."""
    specs = {
        name: spec_of("stream", {"numeric": ["x"]}, "y", drift={"calibration": policy})
        for name, policy in _POLICIES.items()
    }
    noisy = f"noticed within 8 windows, {NOISE:.0%} of the labels by chance"
    print(f"| windows of | years | {' | '.join(specs)} | {noisy} |")
    print("| --- " + "| ---: " * 4 + "|")
    for rows, years in YEARS.items():
        for rho in RHOS:
            rates = []
            for spec in specs.values():
                opened = (openings(year(rows, rho, y, 0.0, spec), spec) for y in range(years))
                rate = Rate(sum(opened), _WEEKS / (365.25 / 7) * years)
                low, high = rate.interval
                rates.append(f"{rate.a_year:.2f} [{low:.2f}, {high:.2f}]")
            spec = specs["default effect"]
            few = range(min(years, 20))
            found = [openings(year(rows, rho, y, NOISE, spec)[:8], spec) > 0 for y in few]
            told = f"{np.mean(found):.0%}"
            print(f"| {rows:,} rows, ρ {rho:g} | {years} | {' | '.join(rates)} | {told} |")


if __name__ == "__main__":
    main()

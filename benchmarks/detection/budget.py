"""How often the latch opens on streams in which nothing changes, against the owner's budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.detection.specs import LIMITS_ALONE, spec_of
from benchmarks.detection.streams import Floats, Ints, stationary
from tasks.classifier.margins import margin
from tasks.drift.grid import Grid
from tasks.drift.latch import Reading, fold
from tasks.drift.loss_sums import Losses
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.drift.summary import Distribution, Summary, summarise
from tasks.drift.verdict import judge_margins
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift
from tasks.spec.windows import Window

BUDGET = 1.0  # openings a year, the default
YEARS = {200: 200, 2_000: 60, 50_000: 20}
QUICK_YEARS = {200: 20, 2_000: 8, 50_000: 1}
RHOS = (0.0, 0.5, 0.9)
_WEEKS, _REFERENCE = 52, 20  # windows a year, and those whose rows make the reference
_HELD_OUT = 0.35  # share of the reference's rows that the fit did not see: the default
_CLASSES = ("0", "1")
_START = datetime(2020, 1, 1, tzinfo=UTC)
_SPEC = spec_of("stream", {"numeric": ["x"]}, "y")

POLICIES: dict[tuple[str, bool], dict[str, Any]] = {
    ("default effects", True): {},
    ("default effects", False): {},
    ("limits alone", True): LIMITS_ALONE,
    ("limits alone", False): LIMITS_ALONE,
}


@dataclass(frozen=True)
class Counts:
    """Windows that met one reference, how often the latch opened, how many were insufficient."""

    windows: int
    openings: int
    insufficient: int


@dataclass(frozen=True)
class Rate:
    """Openings of the latch over so many years; the interval is Garwood's, 95 %."""

    openings: int
    years: float

    @property
    def a_year(self) -> float:
        return self.openings / self.years

    @property
    def interval(self) -> tuple[float, float]:
        from scipy.stats import chi2

        k = self.openings
        low = chi2.ppf(0.025, 2 * k) / 2 if k else 0.0
        return float(low / self.years), float(chi2.ppf(0.975, 2 * k + 2) / 2 / self.years)


@dataclass(frozen=True)
class Stationary:
    """One kind of stream, or a control, under one policy.

    `insufficient` is the share of windows about which the verdict said nothing; `worst` the most
    openings with one reference: of a year of a stream, or of one control.
    """

    stream: str
    policy: str
    labelled: bool
    rate: Rate
    insufficient: float
    worst: int


def measure(years: dict[int, int], jobs: int, advance: Callable[[], None]) -> list[Stationary]:
    """Return the rates of all streams; `advance` is called once per simulated year."""
    todo = [(rows, rho, year) for rows in years for rho in RHOS for year in range(years[rows])]
    todo.sort(key=lambda job: -job[0])  # the long ones first
    found: dict[tuple[int, float], list[list[Counts]]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_year, *job): job for job in todo}
        for done in as_completed(waiting):
            rows, rho, _ = waiting[done]
            found.setdefault((rows, rho), []).append(done.result())
            advance()
    return [
        row
        for rows in years
        for rho in RHOS
        for row in _table(
            f"{rows:,} rows, ρ {rho:g}", found[rows, rho], _WEEKS / (365.25 / 7) * years[rows]
        )
    ]


def controls(
    names: dict[str, list[str]], jobs: int, advance: Callable[[], None]
) -> list[Stationary]:
    """Return the rates on real rows; of each control the scenarios that are taken together."""
    found: list[Stationary] = []
    with ProcessPoolExecutor(jobs) as pool:
        for control, parts in names.items():
            counts = []
            years = 0.0
            for time, part in pool.map(_control, parts):
                counts.append(part)
                years += time
                advance()
            found += _table(control, counts, years)
    return found


def _table(stream: str, counts: list[list[Counts]], years: float) -> list[Stationary]:
    found = []
    for i, (policy, labelled) in enumerate(POLICIES):
        mine = [part[i] for part in counts]
        openings = [c.openings for c in mine]
        silent = sum(c.insufficient for c in mine) / sum(c.windows for c in mine)
        rate = Rate(sum(openings), years)
        found.append(Stationary(stream, policy, labelled, rate, silent, max(openings)))
    return found


def _control(name: str) -> tuple[float, list[Counts]]:
    """Return a scenario's monitored years, and what its first champion's windows say, by policy."""
    from benchmarks.detection.scenarios import scenario
    from benchmarks.detection.study import candidate_of

    it = scenario(name)
    first = candidate_of(name, it.first)
    assert first is not None
    reference = first.accepted.reference
    windows = []
    for index in range(it.first, len(it.history.windows)):
        rows = it.history.rows(index)
        grid = reference.summary.grid
        windows.append(summarise(grid, first.of(rows), it.history.label[rows], _CLASSES, {}))
    return it.years, _counts(windows, reference, it.spec)


def _year(rows: int, rho: float, year: int) -> list[Counts]:
    """Return what the windows of a year say to a reference of their own, by policy."""
    rng = np.random.default_rng([rows, round(100 * rho), year])
    accepted = _REFERENCE * rows
    decision, label = stationary(rng, accepted + _WEEKS * rows, rho)
    fit = round(accepted * (1 - _HELD_OUT))
    held = decision[fit:accepted]
    grid = Grid.around(held, margin(held, label[fit:accepted]))
    groups = [
        _blocks(grid, decision[s], label[s], rows) for s in (slice(fit), slice(fit, accepted))
    ]
    reference = reference_from_blocks(groups, 1)
    windows = _blocks(grid, decision[accepted:], label[accepted:], rows)
    return _counts(windows, reference, _SPEC)


def _counts(windows: list[Summary], reference: Reference, spec: ModelSpec) -> list[Counts]:
    hidden = [without_labels(window) for window in windows]
    every = spec.window.every
    found = []
    for (_, labelled), drift in POLICIES.items():
        policy = spec.model_copy(update={"drift": Drift.model_validate(drift)})
        said = [judge_margins(w, reference, policy) for w in (windows if labelled else hidden)]
        readings = [
            Reading(Window(_START + i * every, _START + (i + 1) * every), 1, s.verdict, s.pressure)
            for i, s in enumerate(said)
        ]
        silent = sum(s.verdict == "insufficient" for s in said)
        found.append(Counts(len(said), openings(readings, policy), silent))
    return found


def openings(readings: Iterable[Reading], spec: ModelSpec) -> int:
    """Return how many episodes the latch opens."""
    steps = fold(spec.model, readings, [], spec.latch).steps
    return len({latch.episode for _, latch in steps if latch.episode})


def without_labels(window: Summary) -> Summary:
    """Return what the summary would be had no label come."""
    nothing = summarise(window.grid, np.empty(0), np.empty(0, np.int64), _CLASSES, {})
    margins: Distribution = nothing.margins
    return replace(window, margins=margins, losses=Losses(), classes=nothing.classes)


def _blocks(grid: Grid, decision: Floats, label: Ints, rows: int) -> list[Summary]:
    edges = np.linspace(0, len(label), max(1, round(len(label) / rows)) + 1).astype(int)
    return [summarise(grid, decision[a:b], label[a:b], _CLASSES, {}) for a, b in pairwise(edges)]

"""Windows and references of made margins, and the verdicts on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import lfilter

from tasks.arrays import Floats, Ints
from tasks.drift.grid import Grid
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.drift.statistic import Statistic
from tasks.drift.summary import Summary, summarise
from tasks.drift.verdict import Judgement, judge_margins
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN

GRID = Grid.even(-12.0, 12.0)
SHAPE = ["ks", "wasserstein", "margin_density"]
LABELLED = ["ks_labelled", "hinge_loss", "violation_rate"]
CLASSES = [f"class_{s} of {n}" for n in ("no", "yes") for s in ("loss", "recall", "margin")]
ALL = [*SHAPE, *LABELLED, *CLASSES, "constant"]
LOSSES = ("hinge_loss", "violation_rate", "class_loss", "class_recall", "class_margin")
TINY = {name: {"effect": 1e-9} for name in (*SHAPE, *LOSSES)}
BLOCKS = 20


def spec_of(every: str = "7d", min_rows: int = 100, **drift: Any) -> ModelSpec:
    window = {**CHURN["window"], "every": every, "min_rows": min_rows}
    return ModelSpec.model_validate({**CHURN, "window": window, "drift": drift})


def of(decision: Floats, label: Ints | None = None, weight: Floats | None = None) -> Summary:
    unknown = np.full(len(decision), -1)
    known = unknown if label is None else label
    return summarise(GRID, decision, known, ("no", "yes"), {}, weight=weight)


def reference_from(decision: Floats, label: Ints | None = None, count: int = BLOCKS) -> Reference:
    """Return the reference of rows in so many blocks; without labels all decisions are right."""
    known = signs(decision) if label is None else label
    parts = np.array_split(np.arange(len(decision)), count)
    return reference_from_blocks([[of(decision[p], known[p]) for p in parts]], 1)


def verdict(window: Summary, reference: Reference, **policy: Any) -> Judgement:
    return judge_margins(window, reference, spec_of(**policy))


def by_name(judgement: Judgement) -> dict[str, Statistic]:
    return {statistic.title: statistic for statistic in judgement.statistics}


def signs(decision: Floats) -> Ints:
    return (decision > 0).astype(np.int64)


def drifted(right: float) -> tuple[Summary, Reference]:
    """Return a window of larger scores and its reference; a share `right` of labels agrees."""
    rng = np.random.default_rng(4)
    reference, window = rng.normal(size=12_000), rng.normal(1.5, 2, size=2000)
    wrong = rng.random(2000) >= right
    return of(window, signs(window) ^ wrong), reference_from(reference, signs(reference))


def labelled(shift: float, wrong: float, rows: int, known: int, **effects: float) -> Judgement:
    """Return what is said of shifted rows, of which the first `known` have labels, some wrong."""
    rng = np.random.default_rng(6)
    before, now = rng.normal(size=60_000), rng.normal(shift, 1, size=rows)
    label = signs(now) ^ (rng.random(rows) < wrong)
    label[known:] = -1
    policy = {name: {"effect": effects.get(name, 0.03)} for name in TINY}
    # Classes say nothing here.
    policy |= {name: {"effect": 9.0} for name in ("class_loss", "class_recall", "class_margin")}
    return verdict(of(now, label), reference_from(before, signs(before)), **policy)


def ar(rng: np.random.Generator, rows: int, rho: float) -> Floats:
    """Return a stationary AR(1) stream of unit variance."""
    noise = rng.normal(size=rows + 300) * np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1], [1, -rho], noise)[300:])

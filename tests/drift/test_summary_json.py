"""Summaries as they are stored: read back as they were, small, and without a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tasks.drift.grid import Bins, Grid
from tasks.drift.loss_sums import Losses
from tasks.drift.moments import Moments
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Distribution, Summary, merge, summarise
from tasks.drift.summary_json import summary_from_json, summary_to_json
from tasks.formats import OtherFormat
from tests.support.summaries import CLASSES, assert_same, batches, of


def numbers(value: Any) -> Iterator[float]:
    """Yield every number in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield value


@settings(max_examples=40, deadline=None)
@given(batches())
def test_a_summary_survives_json(batch: Any) -> None:
    summary = of(*batch)
    text = json.dumps(summary_to_json(summary), allow_nan=False)
    back = summary_from_json(json.loads(text))
    assert json.dumps(summary_to_json(back)) == text
    assert_same(merge(back, summary), merge(summary, summary))


def test_a_summary_from_before_squares_of_margins_were_kept_does_not_know_them() -> None:
    now = of(np.array([-2.0, 0.5, 3.0]), np.array([0, 0, -1]))
    raw = json.loads(json.dumps(summary_to_json(now)))
    for losses in (raw["losses"], *raw["classes"].values()):
        del losses["squared_margin"]
    old = summary_from_json(raw)
    assert old.losses.squared_margin is None
    assert old.losses.margin_variance is None
    assert old.losses.means == now.losses.means
    # Of a class without rows the sum is known: it is 0.
    assert {n: c.squared_margin for n, c in old.classes.items()} == {"no": None, "yes": 0.0}
    # What is known of one part only is not known of both, and stays so when it is stored again.
    both = merge(now, old)
    assert both.losses.squared_margin is None
    assert both.losses.rows == 4
    assert summary_from_json(json.loads(json.dumps(summary_to_json(both)))).losses == both.losses


def test_a_big_window_holds_no_row() -> None:
    rng = np.random.default_rng(7)
    n = 100_000
    decision = rng.uniform(-1, 1, n)
    grid = Grid.around(decision, decision)
    features = {f"a_feature_with_a_name_{i}": rng.normal(size=n) for i in range(20)}
    raw = summary_to_json(summarise(grid, decision, rng.integers(0, 2, n), CLASSES, features))
    assert len(raw["scores"]["steps"]) > 500
    found = list(numbers(raw))
    assert len(found) < n / 10
    extremes = {float(f(decision)) for f in (np.min, np.max)}
    assert len(set(found) & set(decision.tolist()) - extremes) == 0


@pytest.mark.parametrize("atoms", [False, True])
def test_a_summary_of_a_billion_rows_and_twenty_features_fits_in_64_kilobytes(atoms: bool) -> None:
    rng = np.random.default_rng(8)
    # As many bins as a reference can ask for: 208 values, each shared by 0.48 % of its rows.
    scores = rng.standard_t(2, 208).repeat(50) if atoms else rng.standard_t(2, 20_000)
    grid = Grid.around(scores, -scores)
    names = [f"a_feature_with_a_name_{i}" for i in range(20)]

    def full(bins: Bins) -> Distribution:
        counts = rng.integers(100_000, 1_000_000, len(bins), endpoint=True)
        sums = np.round((bins.lefts + rng.random(len(bins)) * 10) * counts)
        return Distribution(counts, sums, Moments(int(counts.sum()), *rng.normal(size=2)))

    def some() -> dict[str, float]:
        return {name: float(rng.normal() * 1e6) for name in [*names, "(intercept)"]}

    margins = rng.normal(size=1000)
    losses = Losses.of(margins, rng.random(1000) * 1e6)
    summary = Summary(
        grid,
        full(grid.scores),
        full(grid.margins),
        10**9,
        losses,
        dict.fromkeys(CLASSES, losses),
        {name: Moments.of(rng.normal(size=9)) for name in names},
        some(),
        {name: some() for name in CLASSES},
        ReliabilityTable.of(
            rng.dirichlet([1, 1], 1000), rng.integers(0, 2, 1000), rng.random(1000)
        ),
    )
    assert len(json.dumps(summary_to_json(summary), separators=(",", ":"))) < 64 * 1024


def test_a_reference_of_many_rows_holds_none_of_them() -> None:
    rng = np.random.default_rng(9)
    decision = rng.normal(size=20_000)
    label = rng.integers(0, 2, 20_000)
    grid = Grid.around(decision, np.where(label == 1, decision, -decision))
    found = {
        abs(n) for n in numbers(summary_to_json(summarise(grid, decision, label, CLASSES, {})))
    }
    assert not found & {*np.abs(decision).tolist()}


def test_the_summary_of_another_format_is_named() -> None:
    raw = summary_to_json(of(np.array([0.5]), np.array([1])))
    assert raw["format"] == 2
    with pytest.raises(OtherFormat, match=r"format 1, and this code reads format 2; run"):
        summary_from_json({k: v for k, v in raw.items() if k != "format"})
    with pytest.raises(OtherFormat, match=r"summary x.json has the format 3, .* newer Gatelatch"):
        summary_from_json({**raw, "format": 3}, "summary x.json")

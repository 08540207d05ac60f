"""What every statistic keeps to: its row of the table, its option, its share of the budget."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import numpy as np
import pytest

from tasks.arrays import Floats
from tasks.drift.catalogue import ALONE, KINDS, SHAPES, shares, unit, words
from tasks.drift.grid import Grid
from tasks.drift.reference import (
    Reference,
    reference_from_blocks,
    reference_from_json,
    reference_to_json,
)
from tasks.drift.statistic import FARTHEST, Statistic, StatisticKind, Unit
from tasks.drift.summary import Summary, merge_all, summarise
from tasks.drift.verdict import Judgement, judge_margins
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Drift, Effect
from tests.conftest import CHURN

EFFECT = {"effect": 0.1}
ALL_ON = Drift.model_validate({kind.option: EFFECT for kind in KINDS})
DEFAULT = Drift()
GRID = Grid.around(np.linspace(-5, 5, 4000), np.linspace(-5, 5, 4000))
each = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def spec_of() -> ModelSpec:
    window = {**CHURN["window"], "every": "7d", "min_rows": 50}
    drift = {kind.option: EFFECT for kind in KINDS}
    return ModelSpec.model_validate({**CHURN, "window": window, "drift": drift})


def rows(seed: int, shift: float = 0.0, wrong: float = 0.1, n: int = 600) -> tuple[Floats, Any]:
    """Return scores and labels, a share of them wrong; a shift moves the scores alone."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n) * 1.5
    label = (score > 0).astype(np.int64) ^ (rng.random(n) < wrong)
    return score + shift, label


def summary_of(score: Floats, label: Any) -> Summary:
    return summarise(GRID, score, label, ("no", "yes"), {})


@cache
def reference() -> Reference:
    blocks = [summary_of(*rows(seed)) for seed in range(10)]
    return reference_from_json(reference_to_json(reference_from_blocks([blocks], 1)))


def measured(window: Summary) -> dict[str, list[Statistic]]:
    """Return the statistics of a window by name; all but the lost level have one at least."""
    said: Judgement = judge_margins(window, reference(), spec_of(), reference())
    found: dict[str, list[Statistic]] = {}
    for statistic in said.statistics:
        found.setdefault(statistic.name, []).append(statistic)
    return found


@each
def test_a_row_of_the_table_says_all_of_a_statistic(kind: StatisticKind) -> None:
    assert kind.unit in get_args(Unit)
    assert kind.name in words(kind.name).replace(" ", "_") or kind.words
    assert unit(kind.name) == ("" if kind.unit in ("share", "loss") else f" {kind.unit}")
    assert (kind.measure is not None) == (kind.rows == "all")
    assert kind.part == "rest" or kind.rows != "all"
    field = Drift.model_fields[kind.option]
    assert field.description
    assert field.default is None or isinstance(field.default, Effect)
    assert kind.quantity in reference().spread.design_effects or kind.rows == "class"


def test_the_table_holds_each_name_once_and_every_effect_of_the_spec() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    options = {n for n, v in Drift.model_validate(ALL_ON).__dict__.items() if isinstance(v, Effect)}
    assert {kind.option for kind in KINDS} == options
    assert set(ALONE).isdisjoint(SHAPES)


@each
def test_a_statistic_of_the_reference_itself_is_zero(kind: StatisticKind) -> None:
    whole = merge_all([summary_of(*rows(seed)) for seed in range(10)])
    found = measured(whole)[kind.name]
    if kind.name == "constant":  # held against no reference, but against an answer
        assert [s.size for s in found] == [0]
        return
    for statistic in found:
        assert statistic.value == pytest.approx(0, abs=1e-9)
        assert statistic.size <= 1e-9


@each
def test_a_statistic_counts_on_the_sides_that_its_row_names(kind: StatisticKind) -> None:
    better = measured(summary_of(*rows(20, wrong=0.0)))[kind.name]
    worse = measured(summary_of(*rows(20, wrong=0.6)))[kind.name]
    moved = measured(summary_of(*rows(20, shift=2.0)))[kind.name]
    for statistic in (*better, *worse, *moved):
        assert statistic.counts == kind.counts
        assert statistic.effect == EFFECT["effect"]
        assert statistic.limit >= statistic.effect
        assert abs(statistic.value) <= FARTHEST
        sign = {"both": abs(statistic.value), "rise": statistic.value, "fall": -statistic.value}
        assert statistic.size == max(sign[kind.counts], 0.0)
    if kind.counts != "both":
        assert all(s.size == 0 for s in better)
        assert all(s.size > 0 for s in worse)
    if kind.rows == "all":
        assert all(s.size > 0 for s in moved)


@each
def test_rows_in_any_order_and_in_any_parts_give_the_same_statistic(kind: StatisticKind) -> None:
    score, label = rows(30, shift=0.3)
    order = np.random.default_rng(1).permutation(len(score))
    whole = measured(summary_of(score, label))[kind.name]
    turned = summary_of(score[order], label[order])
    parts = [
        summary_of(score[part], label[part])
        for part in np.array_split(np.arange(len(score)), [10, 200])
    ]
    for other in (turned, merge_all(parts), merge_all(parts[::-1])):
        again = measured(other)[kind.name]
        assert [s.title for s in again] == [s.title for s in whole]
        assert [s.value for s in again] == pytest.approx([s.value for s in whole], abs=1e-9)
        assert [s.limit for s in again] == pytest.approx([s.limit for s in whole], rel=1e-9)


@pytest.mark.parametrize("policy", [DEFAULT, ALL_ON], ids=["default", "all on"])
@pytest.mark.parametrize("of_classes", [0, 5, 6, 120])
@pytest.mark.parametrize("level", [False, True])
def test_the_shares_of_the_budget_add_up_to_one(
    policy: Drift, level: bool, of_classes: int
) -> None:
    on = [kind for kind in KINDS if kind.on(policy)]
    found = shares(policy, True, level, of_classes)
    rest = sum(kind.part == "rest" for kind in on)
    total = rest * found.rest + (1 + level) * found.loss + of_classes * found.of_class
    assert total == pytest.approx(1)
    unlabelled = shares(policy, False)
    assert sum(kind.rows == "all" for kind in on) * unlabelled.rest == pytest.approx(1)


def test_the_shares_of_the_defaults_are_those_of_ever() -> None:
    assert shares(DEFAULT, False).rest == 1 / 3
    assert shares(DEFAULT, True).rest == 1 / 10
    assert shares(DEFAULT, True).loss == 1 / 2
    assert shares(DEFAULT, True, True, 6).loss == 1 / 6
    assert shares(DEFAULT, True, True, 6).of_class == 1 / 36


def test_what_is_off_is_not_measured_and_has_no_share() -> None:
    off = [kind for kind in KINDS if not kind.on(DEFAULT)]
    spec = spec_of().model_copy(update={"drift": DEFAULT})
    said = judge_margins(summary_of(*rows(1)), reference(), spec)
    assert not {s.name for s in said.statistics} & {kind.name for kind in off}

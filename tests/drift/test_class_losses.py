"""Every class counts: by itself, pooled with others as small, or said to be missing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.detection.specs import LIMITS_ALONE
from tasks.arrays import Floats, Ints
from tasks.drift.class_losses import OTHERS, class_statistics, compared_classes
from tasks.drift.class_spread import QUANTITIES, class_effects
from tasks.drift.grid import Grid
from tasks.drift.latch import Reading, fold
from tasks.drift.loss_sums import Losses
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.drift.statistic import Statistic
from tasks.drift.summary import Summary, merge_all, summarise
from tasks.drift.summary_json import summary_from_json, summary_to_json
from tasks.drift.verdict import Judgement, judge_margins
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import CHURN

GRID = Grid.even(-12.0, 12.0)
NAMES = ("a", "b", "c", "d")


def spec_of(names: tuple[str, ...] = NAMES, **drift: Any) -> ModelSpec:
    window = {**CHURN["window"], "every": "7d", "min_rows": 50}
    label = {**CHURN["label"], "classes": list(names)}
    return ModelSpec.model_validate({**CHURN, "window": window, "label": label, "drift": drift})


def rows(
    rng: np.random.Generator, counts: list[int], wrong: float = 0.1, names: Any = NAMES
) -> Summary:
    """Return the summary of so many rows of each class, a share of them decided wrongly."""
    label = np.repeat(np.arange(len(counts)), counts)
    rng.shuffle(label)
    return of(decisions(rng, label, len(names), wrong), label, names)


def decisions(rng: np.random.Generator, label: Ints, classes: int, wrong: float) -> Floats:
    decision = rng.normal(-2, 0.3, size=(len(label), classes))
    decided = np.where(rng.random(len(label)) < wrong, (label + 1) % classes, label)
    decision[np.arange(len(label)), decided] += rng.gamma(4, 0.6, size=len(label))
    return decision


def of(decision: Floats, label: Ints, names: Any = NAMES) -> Summary:
    return summarise(GRID, decision, label, tuple(names), {})


def reference_from(*blocks: Summary) -> Reference:
    return reference_from_blocks([[*blocks]], 1)


def figures(said: Judgement) -> dict[str, float]:
    return {s.title: s.value for s in said.statistics}


counted = st.lists(st.integers(0, 60), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(counted, counted, st.permutations(NAMES), st.integers(0, 9))
def test_the_order_of_the_classes_does_not_matter(
    here: list[int], there: list[int], order: list[str], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    window, accepted = rows(rng, [60, *here[1:]]), rows(rng, [90, *there[1:]])

    def ordered(summary: Summary) -> Summary:
        return replace(summary, classes={name: summary.classes[name] for name in order})

    plain = judge_margins(window, reference_from(accepted), spec_of())
    turned = judge_margins(ordered(window), reference_from(ordered(accepted)), spec_of())
    assert figures(turned) == pytest.approx(figures(plain), abs=1e-9)
    assert turned.verdict == plain.verdict
    assert turned.pressure == pytest.approx(plain.pressure)


@settings(max_examples=40, deadline=None)
@given(counted, st.floats(0, 0.15), st.integers(0, 9))
def test_a_window_equal_to_its_reference_never_drifts(
    counts: list[int], wrong: float, seed: int
) -> None:
    window = rows(np.random.default_rng(seed), [60, *counts], wrong, ("a", "b", "c", "d", "e"))
    for confirm in ("never", "if_labelled", "required"):
        reference = reference_from(*[window] * 8)
        said = judge_margins(window, reference, spec_of(confirm=confirm), reference)
        assert said.verdict != "drifting"
        changes = [s.value for s in said.statistics if s.name != "constant"]
        assert changes == pytest.approx([0] * len(changes), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(counted, counted, st.integers(0, 3), st.integers(0, 9))
def test_an_absent_class_leaves_the_figures_of_the_others_as_if_it_had_never_been(
    here: list[int], there: list[int], gone: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(4), [60 + n for n in there])
    decision = decisions(rng, label, 4, 0.2)
    known = [50 + n for n in here]
    window = rows(rng, [0 if i == gone else n for i, n in enumerate(known)])
    kept = label != gone
    with_it = judge_margins(window, reference_from(of(decision, label)), spec_of())
    without = judge_margins(window, reference_from(of(decision[kept], label[kept])), spec_of())
    losses = ("hinge_loss", "violation_rate", *QUANTITIES)
    mine, theirs = (
        {s.title: s.value for s in said.statistics if s.name in losses}
        for said in (with_it, without)
    )
    assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    assert len(mine) == 2 + 3 * 3
    assert with_it.labelled
    assert f"no label is {NAMES[gone]}, of which nothing is said" in with_it.reason
    assert "no label is" not in without.reason


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(counted, counted), min_size=1, max_size=4), st.integers(0, 9))
def test_what_is_compared_of_merged_windows_is_their_merged_losses(
    parts: list[tuple[list[int], list[int]]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    windows, blocks = zip(*[(rows(rng, a), rows(rng, b)) for a, b in parts], strict=True)
    window, accepted = merge_all([*windows]), merge_all([*blocks])
    found = compared_classes(window, accepted)
    for name, (ours, theirs) in found.both.items():
        assert ours == reduce(Losses.merge, (w.classes[name] for w in windows))
        assert theirs == reduce(Losses.merge, (b.classes[name] for b in blocks))
    # No row is lost, and none counts twice.
    judged = sum(ours.rows for ours, _ in found.judged.values())
    few = sum(found.both[name][0].rows for name in found.unjudged)
    if len(found.both) > 1:
        assert judged + few == found.together[0].rows


def test_small_classes_are_pooled_if_they_are_enough_together_and_named_if_not() -> None:
    rng = np.random.default_rng(1)
    accepted = rows(rng, [400, 400, 40, 40])
    pooled = compared_classes(rows(rng, [60, 60, 6, 6]), accepted)
    assert list(pooled.judged) == ["a", "b", OTHERS]
    assert pooled.judged[OTHERS][0].rows == 12
    assert pooled.unjudged == ()
    named = judge_margins(rows(rng, [60, 60, 3, 6]), reference_from(accepted), spec_of())
    assert "with fewer than 10 labels not judged alone: c and d" in named.reason
    assert "class_loss of c" not in figures(named)


def test_a_class_too_rare_to_be_missed_is_not_absent() -> None:
    rng = np.random.default_rng(8)
    accepted = rows(rng, [9904, 96, 0, 0])  # 9.6 in a window of 1000, 10.6 in one of 1100
    window, larger = rows(rng, [1000, 0, 0, 0]), rows(rng, [1100, 0, 0, 0])
    assert compared_classes(window, accepted).absent == ()
    assert compared_classes(larger, accepted).absent == ("b",)


def test_the_losses_of_a_new_class_count_and_make_a_window_drift() -> None:
    rng = np.random.default_rng(12)
    accepted = reference_from(*(rows(rng, [100, 100, 100, 0]) for _ in range(8)))
    came = rows(rng, [100, 100, 100, 90], wrong=0.1)
    lost = rows(rng, [0, 0, 0, 90], wrong=1.0)
    found = compared_classes(merge_all([rows(rng, [100, 100, 100, 0]), lost]), accepted.summary)
    assert found.unmatched == lost.classes["d"]
    assert found.overall[0].rows == found.together[0].rows + 90
    assert found.overall[1] == found.together[1]
    missed = judge_margins(merge_all([rows(rng, [100, 100, 100, 0]), lost]), accepted, spec_of())
    assert missed.verdict == "drifting"
    # A class that is right for the most part is new, and no loss.
    assert judge_margins(came, accepted, spec_of()).verdict == "steady"


def test_a_class_that_the_reference_hardly_has_is_new() -> None:
    rng = np.random.default_rng(2)
    accepted = rows(rng, [500, 500, 9, 0])
    assert compared_classes(rows(rng, [100, 100, 15, 10]), accepted).new == ("c", "d")
    assert compared_classes(rows(rng, [100, 100, 9, 9]), accepted).new == ()
    reference = reference_from(*[accepted] * 8)
    said = judge_margins(rows(rng, [100, 100, 0, 30]), reference, spec_of())
    assert said.verdict == "steady"
    assert "new, with fewer than 10 rows in the reference: d" in said.reason


def rare(rng: np.random.Generator, count: int, turned: bool = False) -> Summary:
    """Return rows of which 3 % are positive, as a balanced fit decides them."""
    label = (rng.random(count) < 0.03).astype(np.int64)
    x = rng.normal(size=count)
    decision = np.where(label == 1, (0.0 if turned else 1.2) + x, 0.8 * x - 1.8)
    return of(decision, label, ("no", "yes"))


def test_a_rare_class_that_fails_is_drift_though_all_rows_hold_still() -> None:
    rng = np.random.default_rng(3)
    policy = spec_of(("no", "yes"))
    reference = reference_from(*[rare(rng, 500) for _ in range(20)])
    turned = [judge_margins(rare(rng, 500, turned=True), reference, policy) for _ in range(20)]
    found = [s for said in turned for s in said.statistics if s.name in ("ks", "hinge_loss")]
    assert max(s.size / s.effect for s in found) < 1
    # Enough of them to open the latch within a few windows.
    assert sum(said.verdict == "drifting" for said in turned) >= 10
    reasons = {said.reason for said in turned if said.verdict == "drifting"}
    assert "above the limit: class_loss of yes, class_recall of yes, class_margin of yes" in reasons
    healthy = [judge_margins(rare(rng, 500), reference, policy).verdict for _ in range(20)]
    assert healthy.count("steady") >= 19


def figure(said: Judgement, title: str) -> Statistic:
    return next(s for s in said.statistics if s.title == title)


def test_a_margin_falls_beyond_its_limit_where_few_losses_are_too_lopsided_to_tell() -> None:
    rng = np.random.default_rng(13)
    policy = spec_of(("no", "yes"))
    reference = reference_from(*[rare(rng, 500) for _ in range(20)])
    turned = [judge_margins(rare(rng, 500, turned=True), reference, policy) for _ in range(40)]
    several = [s for s in turned if "class_margin of yes" in figures(s)]
    alone = [
        s
        for s in several
        if figure(s, "class_loss of yes").pressure < 1 < figure(s, "class_margin of yes").pressure
    ]
    drifting = [s for s in alone if s.verdict == "drifting"]
    assert drifting
    for said in drifting:
        loss = figure(said, "class_loss of yes")
        assert loss.size > loss.effect
        assert "class_margin of yes" in said.reason
    for said in alone:
        # A margin that falls by more than chance, and costs nothing that matters, is let pass.
        if figure(said, "class_loss of yes").size < policy.drift.class_loss.effect:
            assert said.verdict == "steady"


def test_a_class_that_is_less_sure_and_as_right_as_ever_is_no_drift() -> None:
    rng = np.random.default_rng(14)
    label = np.repeat([0, 1], 400)

    def block(of_yes: float) -> Summary:
        decision = np.where(label == 1, of_yes, -4.0) + rng.normal(scale=0.4, size=800)
        return of(decision, label, ("no", "yes"))

    reference = reference_from(*[block(4.0) for _ in range(12)])
    said = judge_margins(block(3.0), reference, spec_of(("no", "yes")))
    assert figure(said, "class_margin of yes").value == pytest.approx(-2.5, abs=0.3)
    assert figure(said, "class_margin of yes").pressure > 1
    assert figure(said, "class_margin of no").pressure < 1
    assert said.verdict == "steady"
    assert "class_margin of yes; the labelled loss does not confirm it" in said.reason


def test_a_reference_that_does_not_know_the_spread_of_margins_leaves_them_unjudged_by_name() -> (
    None
):
    rng = np.random.default_rng(15)
    policy = spec_of(("no", "yes"))
    blocks = [rows(rng, [100, 100], names=("no", "yes")) for _ in range(9)]

    def old(summary: Summary) -> Summary:
        """Return the summary as it was stored before squares of margins were kept."""
        raw = json.loads(json.dumps(summary_to_json(summary)))
        for losses in (raw["losses"], *raw["classes"].values()):
            del losses["squared_margin"]
        return summary_from_json(raw)

    now = judge_margins(blocks[0], reference_from(*blocks[1:]), policy)
    assert "margins not judged" not in now.reason
    before = reference_from(*map(old, blocks[1:]))
    said = judge_margins(blocks[0], before, policy)
    names = {s.name for s in said.statistics}
    assert {s.name for s in now.statistics} - names == {"class_margin"}
    assert said.verdict == "steady"
    assert "margins not judged, as the reference does not know their spread: no and yes" in (
        said.reason
    )
    # A window needs no spread of its own; and what nobody judges has no part of the budget.
    kept = judge_margins(old(blocks[0]), reference_from(*blocks[1:]), policy)
    assert figures(kept) == figures(now)
    assert class_statistics(compared_classes(blocks[0], before.summary)) == 4
    assert figure(said, "class_loss of no").noise < figure(now, "class_loss of no").noise


def test_what_one_class_loses_and_the_other_wins_is_no_drift() -> None:
    rng = np.random.default_rng(4)
    label = np.repeat([0, 1], 2000)
    decision = np.where(label == 1, 1.0, -1.0) + rng.normal(size=4000)

    def moved(by: float) -> Summary:
        return of(decision + by, label, ("no", "yes"))

    policy = spec_of(("no", "yes"), ks={"effect": 0.5}, wasserstein={"effect": 2.0})
    said = judge_margins(moved(0.5), reference_from(*[moved(0.0)] * 8), policy)
    assert {s.title: s.pressure > 1 for s in said.statistics}["class_loss of no"]
    assert said.verdict == "steady"


def test_classes_that_fail_in_turn_have_design_effects_of_their_own() -> None:
    rng = np.random.default_rng(5)

    def block(number: int) -> Summary:
        label = np.repeat([0, 1], 200)
        bias = 0.7 if number % 2 else -0.7
        return of(rng.normal(size=400) + np.where(label, 1, -1) + bias, label, ("no", "yes"))

    blocks = [block(i) for i in range(12)]
    effects = class_effects([blocks], merge_all(blocks))
    assert min(effects.values()) > 10
    alike = [rows(rng, [100, 100], names=("no", "yes")) for _ in range(12)]
    assert max(class_effects([alike], merge_all(alike)).values()) < 3
    # What was fitted is not expected to look like what was not.
    assert class_effects([blocks[:1], blocks[1:2]], merge_all(blocks[:2])) == {}


@pytest.mark.parametrize(("count", "years"), [(20, 20), (8, 10)])
def test_a_rare_class_opens_the_latch_no_more_often_than_the_budget(count: int, years: int) -> None:
    """Only the noise limits act, of 15 positives a window; the budget is one opening a year."""
    opened = 0
    for year in range(years):
        rng = np.random.default_rng([count, year])
        policy = spec_of(("no", "yes"), **LIMITS_ALONE, confirm="never")
        reference = reference_from(*[rare(rng, 500) for _ in range(count)])
        windows = [rare(rng, 500) for _ in range(52)]
        start = policy.window.start
        readings = [
            Reading(Window(start + timedelta(weeks=i), start + timedelta(weeks=i + 1)), 1, v, p)
            for i, said in enumerate(judge_margins(w, reference, policy) for w in windows)
            for v, p in [(said.verdict, said.pressure)]
        ]
        steps = fold("m", readings, [], policy.latch).steps
        opened += len({latch.episode for _, latch in steps} - {None})
    assert opened <= stats.poisson.ppf(0.999, years)

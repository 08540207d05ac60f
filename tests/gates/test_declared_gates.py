"""Declared gates: what passes, what does not, and what cannot be computed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, recall_score

from tasks.arrays import Floats, Ints
from tasks.gates import declared_gates, gate_result
from tasks.gates.contest import Contest
from tasks.gates.declared_gates import Comparison
from tasks.gates.gate_result import GateResult
from tasks.gates.losses import Scored, loss, rates
from tasks.spec.gate_options import Gate, Gates

BETTER = {"hinge_loss": {"better_than": "champion"}}
NEAR = {"error_rate": {"not_worse_than": "champion", "by": 0.05}}
BOUND = {"violation_rate": {"at_most": 0.25}}
RECALL = {"per_class_recall": {"not_worse_than": "champion", "by": 0.05}}


def scored(margins: Any, truth: Ints | None = None, slope: float = 1.5) -> Scored:
    """Return the answers of a model with these labelled margins."""
    given = np.asarray(margins, dtype=float)
    labels = np.arange(len(given)) % 2 if truth is None else truth
    decision = np.where(labels == 1, given, -given)
    positive = 1 / (1 + np.exp(-slope * decision))
    return Scored(decision, np.stack([1 - positive, positive], axis=1), labels)


def judge(declared: dict[str, Any], candidate: Any, champion: Any, seed: int = 7) -> Any:
    def answers(given: Any) -> Scored | None:
        return given if given is None or isinstance(given, Scored) else scored(given)

    ours = answers(candidate)
    assert ours is not None
    names = ("0", "1", "2")[: ours.probability.shape[1]]
    spec = Gates.model_validate(declared)
    both = Contest(candidate=ours, champion=answers(champion))
    results = declared_gates.judge_declared(spec, both, names, seed=seed)
    return results, gate_result.passed(results)


def margins(mean: float, rows: int = 400, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(mean, 1, rows)


def three_classes(rows: int = 600, seed: int = 3) -> Scored:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, rows)
    decision = rng.normal(size=(rows, 3))
    decision[np.arange(rows), truth] += 1
    odds = np.exp(decision)
    return Scored(decision, odds / odds.sum(axis=1, keepdims=True), truth)


def test_a_clearly_better_candidate_passes_with_its_figures() -> None:
    ours = margins(1.5)
    (gate,), ok = judge(BETTER, ours, ours - 0.5)
    assert ok
    assert gate.candidate < gate.champion
    assert gate.low < gate.candidate - gate.champion < gate.high < 0
    assert (gate.name, gate.verdict, gate.slice) == ("hinge_loss", "passed", None)
    assert gate.to_json()["passed"] is True


@given(st.floats(-0.3, 0.3), st.integers(0, 50))
@settings(deadline=None, max_examples=40)
def test_better_than_passes_only_if_the_interval_lies_below_0(gap: float, seed: int) -> None:
    results, ok = judge(BETTER, margins(1, 200, seed) + gap, margins(1, 200, seed + 1))
    assert ok == (results[0].high < 0)


def test_an_identical_candidate_is_not_better_and_not_worse() -> None:
    same = margins(1)
    (gate,), ok = judge(BETTER, same, same)
    assert not ok
    assert (gate.low, gate.high) == (0, 0)
    assert judge(NEAR, same, same)[1]


def test_not_worse_than_passes_while_the_interval_stays_within_the_bound() -> None:
    right = np.ones(1000)
    spread = np.random.default_rng(1).permutation(1000)
    for wrong, ok in ((0, True), (30, True), (49, False), (100, False)):
        ours = right.copy()
        ours[spread[:wrong]] = -1
        assert judge(NEAR, ours, right)[1] is ok, wrong


def test_losses_that_come_in_runs_are_believed_less_than_scattered_ones() -> None:
    rng = np.random.default_rng(2)
    scattered = np.where(rng.permutation(1000) < 300, 0.2, -0.05)
    runs = np.where(np.arange(1000) // 50 % 10 < 3, 0.2, -0.05)
    widths = []
    for gap in (scattered, runs):
        (gate,), _ = judge(BETTER, np.zeros(1000) - gap, np.zeros(1000))
        assert gate.candidate - gate.champion == pytest.approx(gap.mean())
        widths.append(gate.high - gate.low)
    assert widths[1] > 2 * widths[0]
    assert "blocks of" in gate.reason


def test_at_most_is_an_absolute_bound_and_includes_it() -> None:
    outside = np.full(100, 2.0)
    for inside, ok in ((25, True), (26, False)):
        ours = outside.copy()
        ours[:inside] = 0.5
        for champion in (outside, None):
            (gate,), passed = judge(BOUND, ours, champion)
            assert (passed, gate.candidate) == (ok, inside / 100)
            assert gate.champion == (None if champion is None else 0)


def test_without_a_champion_comparisons_pass_and_absolute_bounds_still_count() -> None:
    (better, near, bound), ok = judge(BETTER | NEAR | BOUND, np.zeros(50), None)
    assert (better.passed, near.passed, bound.passed, ok) == (True, True, False, False)
    assert better.reason == near.reason == "no champion yet to compare with"
    assert better.champion is better.low is better.high is None


@pytest.mark.parametrize("name", ["calibration_error", "max_calibration_error", "brier"])
def test_a_candidate_of_worse_probabilities_fails_beside_an_equal_one(name: str) -> None:
    truth = np.random.default_rng(4).integers(0, 2, 2000)
    decision = margins(0, 2000, 5) + 1.2 * (2 * truth - 1)
    given = np.where(truth == 1, decision, -decision)
    good, proud = (scored(given, truth, slope) for slope in (2.4, 9.0))
    near = {name: {"not_worse_than": "champion", "by": 0.002}}
    better = {name: {"better_than": "champion"}}
    assert judge(near, good, good)[1]
    (gate,), ok = judge(near, proud, good)
    assert not ok
    assert gate.low < gate.candidate - gate.champion < gate.high
    assert judge(better, good, proud)[1]
    bound = {name: {"at_most": gate.champion + 0.001}}
    assert [judge(bound, it, None)[1] for it in (good, proud)] == [True, False]


def test_the_recall_of_each_class_has_a_result_of_its_own() -> None:
    champion = margins(1, 4000)
    ours = champion.copy()
    ours[1::2] -= 1  # class 1 alone
    results, ok = judge(RECALL, ours, champion)
    assert not ok
    assert [(r.slice, r.verdict) for r in results] == [
        ("class 0", "passed"),
        ("class 1", "failed"),
    ]
    assert results[1].title == "per class recall, class 1"
    answers = scored(ours)
    expected = recall_score(answers.truth, answers.predicted, average=None)
    assert [r.candidate for r in results] == pytest.approx(list(expected))
    assert results[1].high < 0
    least = {"per_class_recall": {"at_least": expected[1] + 0.01}}
    assert [r.passed for r in judge(least, ours, None)[0]] == [True, False]


def test_a_class_that_no_judged_row_has_is_named_and_leaves_the_others_judged() -> None:
    whole = three_classes()
    for absent in range(3):
        kept = whole.truth != absent
        part = Scored(whole.decision[kept], whole.probability[kept], whole.truth[kept])
        for declared in (RECALL, {"per_class_recall": {"at_least": 0.1}}):
            results, ok = judge(declared, part, part)
            assert ok
            verdicts = ["passed"] * 3
            verdicts[absent] = "not_judged"
            assert [r.verdict for r in results] == verdicts
            assert results[absent].reason == f"no judged row is of class {absent}"


# --- what a refusal says


def test_a_bound_that_the_champion_exceeds_too_still_fails_and_says_so() -> None:
    ours, worse, good = np.full(100, 0.5), np.full(100, -1.0), np.full(100, 2.0)
    (gate,), ok = judge(BOUND, ours, worse)
    assert not ok
    assert gate.reason == (
        "at most 0.25, and it is 1; the champion's 1 is beyond it too; change "
        "gates.violation_rate if the bound no longer fits"
    )
    assert "beyond it too" not in judge(BOUND, ours, good)[0][0].reason
    assert judge(BOUND, good, worse)[0][0].reason == "at most 0.25"
    recall = {"per_class_recall": {"at_least": 0.9}}
    for result in judge(recall, worse, worse)[0]:
        assert "at least 0.9, and it is 0; the champion's 0 is beyond it too" in result.reason


def test_what_is_shown_to_be_worse_is_not_told_to_wait_for_rows() -> None:
    (gate,), _ = judge(BETTER, margins(0), margins(0) + 1)
    assert gate.reason.endswith(
        "it is shown to be worse: it takes other rows to learn from (training.window), or other "
        "features"
    )
    (gate,), _ = judge(BETTER, margins(1), margins(1))
    assert "it is no better on these rows" in gate.reason


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 0.5), st.integers(10, 5000), st.booleans())
def test_every_refusal_of_a_comparison_says_what_would_have_to_change(
    gap: float, half: float, bound: float, rows: int, rising: bool
) -> None:
    declared = Gate(not_worse_than="champion", by=bound)
    interval = (-gap - half, -gap + half) if rising else (gap - half, gap + half)
    ours = -gap if rising else gap
    result = Comparison(
        metric="per_class_recall" if rising else "brier",
        rows=rows,
        candidate=ours,
        champion=0.0,
        interval=interval,
    ).against(declared)
    assert result.passed == (gap + half <= bound)
    if not result.passed:
        said = ("takes other rows to learn from", "judged rows, not", "judged rows to show")
        assert sum(words in result.reason for words in said) == 1
    if asked := re.search(r"about ([\d,]+) judged rows, not", result.reason):
        needed = int(asked[1].replace(",", ""))
        # The interval of so many rows ends at the bound, or up to two digits before it.
        assert half * (rows / needed) ** 0.5 == pytest.approx(bound - gap, rel=0.06)
        assert needed >= rows


def test_costs_tell_apart_what_error_rates_do_not() -> None:
    costs = [[0, 5], [1, 0]]
    declared = {"costs": costs, "cost": {"better_than": "champion"}}
    misses, alarms = np.ones(400), np.ones(400)
    misses[1:200:2] = -1  # class 1 taken for 0: costs 1
    alarms[0:200:2] = -1  # class 0 taken for 1: costs 5
    (gate,), ok = judge(declared, misses, alarms)
    assert ok
    assert (gate.candidate, gate.champion) == (0.25, 1.25)
    assert not judge(declared, alarms, misses)[1]
    assert rates(scored(misses), ((0, 5), (1, 0)))["cost"] == 0.25


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    two, three = scored(margins(1)), three_classes()
    expected = brier_score_loss(two.truth, two.probability[:, 1])
    assert loss("brier", two, None).mean() == pytest.approx(expected)
    expected = brier_score_loss(three.truth, three.probability, scale_by_half=False)
    assert loss("brier", three, None).mean() == pytest.approx(expected)


def test_a_figure_that_is_no_number_fails_and_says_which() -> None:
    ours = margins(1)
    ours[7] = np.nan
    (gate,), ok = judge(BETTER, ours, margins(1))
    assert not ok
    assert gate.reason == "cannot be computed: the hinge_loss of 1 rows is no finite number"


def test_whatever_goes_wrong_in_one_gate_fails_it_and_leaves_the_others() -> None:
    ours, theirs = scored(margins(1.5)), scored(margins(1.5) - 0.5)
    broken = Scored(ours.decision, np.zeros((3, 2)), ours.truth)
    (hinge, brier), ok = judge({**BETTER, "brier": {"at_most": 1}}, broken, theirs)
    assert (hinge.passed, brier.passed, ok) == (True, False, False)
    assert brier.reason.startswith("cannot be computed: ValueError: ")


def test_without_any_gate_nothing_passes_and_one_failure_is_enough() -> None:
    good, bad = GateResult("a", "passed", ""), GateResult("b", "failed", "")
    none = GateResult("c", "not_judged", "")
    assert not gate_result.passed(())
    assert gate_result.passed((good, none))
    assert not gate_result.passed((good, bad))


def test_rates_are_the_means_of_each_loss() -> None:
    found = rates(scored([2.0, 0.5, 0.0, -1.0]))
    expected = {
        "accuracy": 0.5,
        "hinge_loss": (0 + 0.5 + 1 + 2) / 4,
        "error_rate": 0.5,
        "violation_rate": 0.75,
    }
    assert {name: found[name] for name in expected} == expected
    assert found.keys() - expected == {"brier", "calibration_error", "max_calibration_error"}

"""Gates: what passes and what does not, and how often the paired interval tells the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tasks import gates
from tasks.gates import GateResult, paired_interval
from tasks.spec import Gates

BETTER = {"hinge_loss": {"better_than": "champion"}}
NEAR = {"error_rate": {"not_worse_than": "champion", "by": 0.05}}
BOUND = {"violation_rate": {"at_most": 0.25}}


def judge(declared: dict[str, Any], candidate: Any, champion: Any, **parts: Any) -> Any:
    figures: dict[str, Any] = {"calibration_error": 0.02, "slopes": (1.3,), "seed": 7} | parts
    theirs = None if champion is None else np.asarray(champion, dtype=float)
    ours = np.asarray(candidate, dtype=float)
    results = gates.judge(Gates.model_validate(declared), ours, theirs, **figures)
    return results, gates.passed(results)


def margins(mean: float, rows: int = 400, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(mean, 1, rows)


def test_a_clearly_better_candidate_passes_with_its_figures() -> None:
    ours = margins(1.5)
    (gate, slope), ok = judge(BETTER, ours, ours - 0.5)
    assert ok
    assert gate.candidate < gate.champion
    assert gate.low < gate.candidate - gate.champion < gate.high < 0
    assert (gate.name, slope.name) == ("hinge_loss", "calibration_slope")


@given(st.floats(-0.3, 0.3), st.integers(0, 50))
@settings(deadline=None, max_examples=40)
def test_better_than_passes_only_if_the_interval_lies_below_0(gap: float, seed: int) -> None:
    results, ok = judge(BETTER, margins(1, 200, seed) + gap, margins(1, 200, seed + 1))
    assert ok == (results[0].high < 0)


def test_an_identical_candidate_is_not_better() -> None:
    same = margins(1)
    (gate, _), ok = judge(BETTER, same, same)
    assert not ok
    assert (gate.low, gate.high) == (0, 0)
    assert judge(NEAR, same, same)[1]


def test_not_worse_than_passes_while_the_interval_stays_within_the_bound() -> None:
    right = np.ones(1000)
    for wrong, ok in ((0, True), (30, True), (49, False), (100, False)):
        ours = right.copy()
        ours[:wrong] = -1
        assert judge(NEAR, ours, right)[1] is ok, wrong


def test_at_most_is_an_absolute_bound_and_includes_it() -> None:
    outside = np.full(100, 2.0)
    for inside, ok in ((25, True), (26, False)):
        ours = outside.copy()
        ours[:inside] = 0.5
        for champion in (outside, None):
            (gate, _), passed = judge(BOUND, ours, champion)
            assert (passed, gate.candidate) == (ok, inside / 100)
            assert gate.champion == (None if champion is None else 0)


def test_the_calibration_error_is_judged_as_given() -> None:
    declared = {"calibration_error": {"at_most": 0.05}}
    for error, ok in ((0.05, True), (0.051, False)):
        assert judge(declared, margins(1), margins(1), calibration_error=error)[1] is ok


def test_without_a_champion_comparisons_pass_and_absolute_bounds_still_count() -> None:
    (better, near, bound, _), ok = judge(BETTER | NEAR | BOUND, np.zeros(50), None)
    assert (better.passed, near.passed, bound.passed, ok) == (True, True, False, False)
    assert better.reason == near.reason == "no champion yet to compare with"
    assert better.champion is better.low is better.high is None


@pytest.mark.parametrize("slopes", [(-0.2,), (0.0,), (1.0, -0.1, 2.0)])
def test_an_inverted_slope_fails_whatever_else_is_declared(slopes: tuple[float, ...]) -> None:
    ours = margins(1.5)
    for declared in (BETTER, {}):
        results, ok = judge(declared, ours, ours - 0.5, slopes=slopes)
        assert not ok
        assert [r.name for r in results if not r.passed] == ["calibration_slope"]


def test_without_any_gate_nothing_passes_and_one_failure_is_enough() -> None:
    good = GateResult("a", True, 0.0, None, None, None, "")
    bad = GateResult("b", False, 0.0, None, None, None, "")
    assert not gates.passed(())
    assert gates.passed((good,))
    assert not gates.passed((good, bad))


def test_rates_are_the_means_of_each_loss() -> None:
    found = gates.rates(np.array([2.0, 0.5, 0.0, -1.0]))
    assert found == {
        "accuracy": 0.5,
        "hinge_loss": (0 + 0.5 + 1 + 2) / 4,
        "error_rate": 0.5,
        "violation_rate": 0.75,
    }


def test_the_interval_is_the_same_for_the_same_seed_only() -> None:
    gap = margins(0, 50)
    assert paired_interval(gap, 0.95, 7) == paired_interval(gap, 0.95, 7)
    assert paired_interval(gap, 0.95, 7) != paired_interval(gap, 0.95, 8)


def test_the_interval_covers_the_true_difference_about_as_often_as_promised() -> None:
    rounds, rows, confidence = 100, 200, 0.9
    rng = np.random.default_rng(11)
    covered = 0
    for turn in range(rounds):
        # Skewed, as differences of hinge losses are; the true mean is 0.1.
        gap = rng.exponential(1.0, rows) - rng.exponential(0.9, rows)
        low, high = paired_interval(gap, confidence, turn)
        covered += low <= 0.1 <= high
    least, most = binom.interval(0.999, rounds, confidence)
    assert least <= covered <= most

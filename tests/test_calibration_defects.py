"""Probabilities that contradict their scores: whose defect it is decides."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.calibration_defects import calibration_slope, ranking_kept
from tasks.scored import Scored
from tests.test_gates import margins, scored, three_classes

TWO, THREE = ("bad", "good"), ("low", "middle", "high")


def turned(scores: Scored, *classes: int) -> Scored:
    """Return the answers with the probabilities of these classes ranked the other way round."""
    probability = scores.probability.copy()
    probability[:, classes] = 1 - probability[:, classes]
    return Scored(scores.decision, probability, scores.truth)


@pytest.mark.parametrize(
    ("slopes", "classes"), [((-0.2,), TWO), ((0.0,), TWO), ((0.0,), THREE), ((1, -0.1, 2), THREE)]
)
def test_an_inverted_slope_fails(slopes: tuple[float, ...], classes: tuple[str, ...]) -> None:
    for champion in (None, (1.0,), (0.5,) * (3 if classes == THREE else 1)):
        (result,) = calibration_slope(slopes, champion, classes)
        assert result.verdict == "failed"
        assert result.candidate == min(slopes)
        assert "calibrate on more rows" in result.reason
    assert calibration_slope((0.1, 3.0, 1.0), None, THREE)[0].passed


def test_a_slope_that_the_champion_has_too_is_named_and_passes() -> None:
    (result,) = calibration_slope((1.0, -0.1, 2.0), (1.0, -0.3, 2.0), THREE)
    assert result.verdict == "passed"
    assert (result.candidate, result.champion) == (-0.1, -0.3)
    assert "the champion is no better, of class middle: no reason to keep it" in result.reason
    assert calibration_slope((-0.1,), (0.0,), TWO)[0].passed


def test_a_defect_of_another_class_than_the_champions_fails_and_both_are_named() -> None:
    (result,) = calibration_slope((-1.0, -0.1, 2.0), (1.0, -0.3, 2.0), THREE)
    assert result.verdict == "failed"
    assert "of class low; calibrate on more rows" in result.reason
    assert "of class middle: no reason to keep it" in result.reason


def test_one_slope_for_all_is_that_of_each_class() -> None:
    assert not calibration_slope((0.0,), (1.0, 0.0, 1.0), THREE)[0].passed
    assert calibration_slope((1.0, 0.0, 1.0), (0.0,), THREE)[0].passed


def test_probabilities_that_rank_otherwise_than_scores_fail() -> None:
    good = scored(margins(0.5))
    assert ranking_kept(good, None, TWO)[0].passed
    steps = np.round(good.probability, 1)  # as an isotonic calibration has them
    assert ranking_kept(Scored(good.decision, steps, good.truth), good, TWO)[0].passed
    for champion in (None, good):
        (result,) = ranking_kept(turned(good, 0, 1), champion, TWO)
        assert result.verdict == "failed"
        assert "the other way round by probability; use another" in result.reason
    (result,) = ranking_kept(turned(good, 0, 1), turned(good, 0, 1), TWO)
    assert result.verdict == "passed"
    assert result.reason.endswith("the champion is no better: no reason to keep it")


def test_the_ranking_of_three_classes_is_each_ones_own() -> None:
    good = three_classes()
    assert ranking_kept(good, None, THREE)[0].passed
    for champion in (None, good, turned(good, 0)):
        (result,) = ranking_kept(turned(good, 1), champion, THREE)
        assert result.verdict == "failed"
        assert "as scores do, of class middle; use another" in result.reason
    (result,) = ranking_kept(turned(good, 1), turned(good, 1, 2), THREE)
    assert result.verdict == "passed"
    assert "the champion is no better, of class middle: no reason" in result.reason


def test_a_class_whose_probability_never_changes_ranks_nothing() -> None:
    good = three_classes()
    flat = good.probability.copy()
    flat[:, 2] = 0.2
    (result,) = ranking_kept(Scored(good.decision, flat, good.truth), good, THREE)
    assert (result.verdict, result.candidate) == ("failed", 0.0)

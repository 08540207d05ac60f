"""Probabilities that contradict their scores: whose defect it is decides."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.gates.calibration_defects import Learnt, calibration_slope, ranking_kept
from tasks.gates.contest import Contest
from tasks.gates.gate_result import GateResult
from tasks.gates.losses import Scored
from tests.gates.test_declared_gates import margins, scored, three_classes

TWO, THREE = ("bad", "good"), ("low", "middle", "high")


def learnt(*slopes: float, classes: tuple[int, ...] = (0, 1, 2)) -> Learnt:
    return Learnt(slopes, np.array(classes))


def ranked(ours: Scored, theirs: Scored | None, names: tuple[str, ...]) -> GateResult:
    """Return whether the ranking is kept by models that learnt all classes."""
    known = Learnt((1.0,), np.arange(len(names)))
    both = Contest(candidate=ours, champion=theirs)
    (result,) = ranking_kept(both, both.map(lambda _: known), names)
    return result


def sloped(ours: Learnt, theirs: Learnt | None, classes: tuple[str, ...]) -> GateResult:
    (result,) = calibration_slope(Contest(candidate=ours, champion=theirs), classes)
    return result


def turned(scores: Scored, *classes: int) -> Scored:
    """Return the answers with the probabilities of these classes ranked the other way round."""
    probability = scores.probability.copy()
    probability[:, classes] = 1 - probability[:, classes]
    return Scored(scores.decision, probability, scores.truth)


@pytest.mark.parametrize(
    ("slopes", "classes"), [((-0.2,), TWO), ((0.0,), TWO), ((0.0,), THREE), ((1, -0.1, 2), THREE)]
)
def test_an_inverted_slope_fails(slopes: tuple[float, ...], classes: tuple[str, ...]) -> None:
    for champion in (None, learnt(1.0), learnt(*(0.5,) * (3 if classes == THREE else 1))):
        result = sloped(learnt(*slopes), champion, classes)
        assert result.verdict == "failed"
        assert result.candidate == min(slopes)
        assert "calibrate on more rows" in result.reason
    assert sloped(learnt(0.1, 3.0, 1.0), None, THREE).passed


def test_a_slope_that_the_champion_has_too_is_named_and_passes() -> None:
    result = sloped(learnt(1.0, -0.1, 2.0), learnt(1.0, -0.3, 2.0), THREE)
    assert result.verdict == "passed"
    assert (result.candidate, result.champion) == (-0.1, -0.3)
    assert "the champion is no better, of class middle: no reason to keep it" in result.reason
    assert sloped(learnt(-0.1), learnt(0.0), TWO).passed


def test_a_defect_of_another_class_than_the_champions_fails_and_both_are_named() -> None:
    result = sloped(learnt(-1.0, -0.1, 2.0), learnt(1.0, -0.3, 2.0), THREE)
    assert result.verdict == "failed"
    assert "of class low; calibrate on more rows" in result.reason
    assert "of class middle: no reason to keep it" in result.reason


def test_one_slope_for_all_is_that_of_each_class() -> None:
    assert not sloped(learnt(0.0), learnt(1.0, 0.0, 1.0), THREE).passed
    assert sloped(learnt(1.0, 0.0, 1.0), learnt(0.0), THREE).passed


def test_probabilities_that_rank_otherwise_than_scores_fail() -> None:
    good = scored(margins(0.5))
    assert ranked(good, None, TWO).passed
    steps = np.round(good.probability, 1)  # as an isotonic calibration has them
    assert ranked(Scored(good.decision, steps, good.truth), good, TWO).passed
    for champion in (None, good):
        result = ranked(turned(good, 0, 1), champion, TWO)
        assert result.verdict == "failed"
        assert "the other way round by probability; use another" in result.reason
    result = ranked(turned(good, 0, 1), turned(good, 0, 1), TWO)
    assert result.verdict == "passed"
    assert result.reason.endswith("the champion is no better: no reason to keep it")


def test_the_ranking_of_three_classes_is_each_ones_own() -> None:
    good = three_classes()
    assert ranked(good, None, THREE).passed
    for champion in (None, good, turned(good, 0)):
        result = ranked(turned(good, 1), champion, THREE)
        assert result.verdict == "failed"
        assert "as scores do, of class middle; use another" in result.reason
    result = ranked(turned(good, 1), turned(good, 1, 2), THREE)
    assert result.verdict == "passed"
    assert "the champion is no better, of class middle: no reason" in result.reason


def test_a_class_whose_probability_never_changes_ranks_nothing() -> None:
    good = three_classes()
    flat = good.probability.copy()
    flat[:, 2] = 0.2
    result = ranked(Scored(good.decision, flat, good.truth), good, THREE)
    assert (result.verdict, result.candidate) == ("failed", 0.0)


def test_a_class_that_a_model_did_not_learn_has_no_defect() -> None:
    two = learnt(1.0, 2.0, classes=(0, 2))
    assert sloped(two, None, THREE).passed
    good = three_classes()
    flat = Scored(good.decision, good.probability * [1, 0, 1], good.truth)
    answers = Contest(candidate=flat, champion=good)
    both = Contest(candidate=two, champion=learnt(1.0, 1.0, 1.0))
    assert ranking_kept(answers, both, THREE)[0].passed
    assert not ranked(flat, good, THREE).passed
    # What the candidate learnt wrongly and the champion not at all is the candidate's defect.
    assert not sloped(learnt(1.0, -1.0, 1.0), two, THREE).passed

"""What a candidate must be, whoever is champion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import lineage, soundness, timing, training
from tasks.gates import guarded
from tasks.scored import Scored
from tasks.soundness import Preprocessing
from tasks.spec import Gates
from tests.test_gates import margins, scored, three_classes

Make = Any
OURS = Preprocessing("s1", "d1", "spec1")


def test_an_identical_candidate_has_a_result_of_its_own() -> None:
    one = scored(margins(1))
    assert soundness.another_model(one, None)[0].passed
    assert soundness.another_model(one, scored(margins(1) + 1e-9))[0].passed
    (same,) = soundness.another_model(one, scored(margins(1)))
    assert not same.passed
    assert "there is nothing to promote" in same.reason


def test_the_same_scores_with_other_probabilities_are_another_model() -> None:
    one, recalibrated = (scored(margins(1), slope=slope) for slope in (1.0, 2.0))
    assert soundness.another_model(recalibrated, one)[0].passed


@pytest.mark.parametrize("slopes", [(-0.2,), (0.0,), (1.0, -0.1, 2.0)])
def test_an_inverted_slope_fails(slopes: tuple[float, ...]) -> None:
    (result,) = soundness.calibration_slope(slopes)
    assert not result.passed
    assert result.candidate == min(slopes)
    assert soundness.calibration_slope((0.1, 3.0))[0].passed


def test_one_class_among_the_judged_rows_tells_nothing() -> None:
    one = scored(margins(1), np.ones(400, dtype=np.int64))
    (result,) = soundness.judged_classes(one, ("bad", "good"))
    assert not result.passed
    assert result.reason.startswith("no judged row is of class bad, all are of class good; widen")
    assert soundness.judged_classes(scored(margins(1)), ("bad", "good"))[0].passed


def test_probabilities_that_rank_otherwise_than_scores_fail() -> None:
    good = scored(margins(0.5))
    assert soundness.ranking_kept(good)[0].passed
    steps = np.round(good.probability, 1)  # as an isotonic calibration has them
    assert soundness.ranking_kept(Scored(good.decision, steps, good.truth))[0].passed
    turned = Scored(good.decision, good.probability[:, ::-1], good.truth)
    (result,) = soundness.ranking_kept(turned)
    assert not result.passed
    assert "the other way round by probability" in result.reason


def test_the_ranking_of_three_classes_is_each_ones_own() -> None:
    good = three_classes()
    assert soundness.ranking_kept(good)[0].passed
    turned = Scored(-good.decision, good.probability, good.truth)
    assert not soundness.ranking_kept(turned)[0].passed


@pytest.mark.parametrize(
    ("name", "value"),
    [("hinge_gap", 0.5), ("support_vectors", 25), ("support_vector_share", 0.25)],
)
def test_bounds_on_the_fit_include_their_limit(name: str, value: float) -> None:
    judged = scored(np.full(100, 0.25))  # hinge loss 0.75
    fitted = np.where(np.arange(100) < 25, 0.0, 2.0)  # hinge loss 0.25
    for bound, ok in ((value, True), (value * 0.99, False)):
        (result,) = soundness.bounds(
            Gates.model_validate({name: {"at_most": bound}}), judged, fitted
        )
        assert (result.name, result.passed, result.candidate) == (name, ok, value)
    assert soundness.bounds(Gates(), judged, fitted) == []


def test_scoring_time_is_a_multiple_of_the_champions() -> None:
    gates = Gates.model_validate({"scoring_time": {"at_most": 3}})
    for ours, ok in ((3e-6, True), (3.1e-6, False)):
        (result,) = soundness.scoring_time(gates, (ours, 1e-6))
        assert result.passed is ok
        assert result.candidate == pytest.approx(ours * 1000)
    assert soundness.scoring_time(gates, (1.0, None))[0].passed
    assert soundness.scoring_time(gates, None)[0].verdict == "not_judged"
    assert soundness.scoring_time(Gates(), (9.0, 1.0)) == []
    (broken,) = guarded("scoring_time", lambda: soundness.scoring_time(gates, (1.0, 0.0)))
    assert broken.reason == "cannot be computed: the champion took no time"


def test_both_models_are_timed_on_the_same_rows(spec: Make) -> None:
    frame = pd.DataFrame({"x": margins(0), "z": margins(0, seed=1)})
    label = (frame["x"] > 0).to_numpy().astype(np.int64)
    model = training.fit(spec(), frame, label)
    ours, theirs = timing.seconds_per_row(model, model, frame)
    assert theirs is not None
    assert ours > 0 < theirs
    assert timing.seconds_per_row(model, None, frame)[1] is None


@pytest.mark.parametrize(
    ("theirs", "ok", "words"),
    [
        (None, True, "no champion yet"),
        (Preprocessing("s1", "d1", "spec1"), True, "the champion's, digest d1"),
        (Preprocessing("s1", "d0", "spec1"), True, "with statistics of newer rows"),
        (Preprocessing("s0", "d0", "spec0"), True, "the spec changed from spec0 to spec1"),
        (Preprocessing("s0", "d0", "spec1"), False, "under the same spec; say in the spec"),
        (Preprocessing("s0", "d0", None), False, "(s0 → s1)"),
    ],
)
def test_another_preprocessing_needs_an_explanation(theirs: Any, ok: bool, words: str) -> None:
    (result,) = soundness.preprocessing(OURS, theirs)
    assert result.passed is ok
    assert words in result.reason


def test_structure_stays_while_statistics_move(spec: Make) -> None:
    mixed = spec(features={"numeric": ["x"], "categorical": ["c"], "text": ["t"]})
    rng = np.random.default_rng(1)

    def fitted(words: list[str], one: Any = mixed) -> Any:
        columns = {"x": rng.normal(size=200), "c": rng.choice(words, 200)}
        frame = pd.DataFrame({**columns, "t": rng.choice(["red cat", "blue dog"], 200)})
        return training.fit(one, frame, rng.integers(0, 2, 200))

    old, new = fitted(["a", "b"]), fitted(["a", "b", "c"])
    assert lineage.preprocessing_structure(old) == lineage.preprocessing_structure(new)
    assert lineage.preprocessing_digest(old) != lineage.preprocessing_digest(new)
    assert lineage.preprocessing_digest(old) == lineage.preprocessing_digest(old)
    other = fitted(["a"], spec(features={"numeric": [], "categorical": ["c"], "text": ["t"]}))
    assert lineage.preprocessing_structure(old) != lineage.preprocessing_structure(other)

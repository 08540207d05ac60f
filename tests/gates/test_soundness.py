"""What a candidate must be, whoever is champion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.arrays import Floats, Ints
from tasks.classifier import preprocessing, timing, training
from tasks.gates import soundness
from tasks.gates.contest import Contest
from tasks.gates.gate_result import guarded
from tasks.gates.losses import Scored
from tasks.gates.soundness import Preprocessing
from tasks.spec.gate_options import Gates
from tests.gates.test_declared_gates import margins, scored

Make = Any
OURS = Preprocessing("s1", "d1", "spec1")


def both(ours: Scored, theirs: Scored | None = None) -> Contest[Scored]:
    return Contest(candidate=ours, champion=theirs)


def test_an_identical_candidate_has_a_result_of_its_own() -> None:
    one = scored(margins(1))
    assert soundness.another_model(both(one))[0].passed
    assert soundness.another_model(both(one, scored(margins(1) + 1e-9)))[0].passed
    (same,) = soundness.another_model(both(one, scored(margins(1))))
    assert not same.passed
    assert "there is nothing to promote" in same.reason


def test_the_same_scores_with_other_probabilities_are_another_model() -> None:
    one, recalibrated = (scored(margins(1), slope=slope) for slope in (1.0, 2.0))
    assert soundness.another_model(both(recalibrated, one))[0].passed


def answers(decision: Floats, truth: Ints) -> Scored:
    """Return answers of which only the scores count."""
    return Scored(decision, np.empty((len(truth), 0)), truth)


def truths(classes: int, seed: int, rows: int = 60) -> Ints:
    """Return labels of any shares, of two classes at least."""
    rng = np.random.default_rng(seed)
    found = rng.choice(classes, rows, p=rng.dirichlet(np.ones(classes)))
    found[:2] = 0, 1
    return found


@given(
    st.integers(2, 4),
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(-5, 5), min_size=4, max_size=4),
)
def test_no_constant_passes_whatever_the_shares_of_the_classes(
    classes: int, seed: int, scores: list[float]
) -> None:
    truth = truths(classes, seed)
    constant = np.array(scores[:classes])
    decision = np.full(len(truth), constant[0]) if classes == 2 else np.tile(constant, (60, 1))
    (result,) = soundness.trivial(both(answers(decision, truth)))
    assert result.verdict == "failed"
    assert "look at training.window" in result.reason


@given(st.integers(2, 4), st.integers(0, 2**32 - 1), st.floats(1e-3, 5))
def test_whatever_separates_the_classes_passes(classes: int, seed: int, distance: float) -> None:
    truth = truths(classes, seed)
    decision = distance * np.eye(classes)[truth]
    found = answers((2 * truth - 1) * distance if classes == 2 else decision, truth)
    assert soundness.trivial(both(found))[0].verdict == "passed"


def test_a_candidate_worse_than_a_constant_fails_though_the_champion_is_worse() -> None:
    truth = np.arange(400) % 2
    ours, theirs = scored(margins(-0.5), truth), scored(margins(-2), truth)
    (result,) = soundness.trivial(both(ours, theirs))
    assert result.verdict == "failed"
    assert 1 < (result.candidate or 0) < (result.champion or 0)
    assert "a constant's 1.000; hinge loss by class 1." in result.reason


def test_a_rare_class_may_cost_loss_if_the_mean_of_the_classes_gains() -> None:
    truth = (np.arange(1000) % 33 == 0).astype(np.int64)
    (result,) = soundness.trivial(both(answers(0.5 * (2.0 * truth - 1), truth)))
    assert result.verdict == "passed"
    assert result.reason.startswith("hinge loss 0.500, a constant's 0.062; hinge loss by class 0.5")


def test_margins_that_are_only_too_large_are_worth_more_than_a_constant() -> None:
    truth = np.arange(400) % 2
    right = np.arange(400) % 10 < 7
    (result,) = soundness.trivial(both(scored(np.where(right, 9.0, -9.0), truth)))
    assert (result.verdict, result.candidate) == ("passed", 3.0)
    assert "error rate 0.300, a constant's 0.500" in result.reason


def test_decisions_that_stay_the_champions_are_no_worse_than_it() -> None:
    poor = scored(margins(-1))
    recalibrated = scored(margins(-1), slope=3.0)
    (result,) = soundness.trivial(both(recalibrated, poor))
    assert result.verdict == "passed"
    assert result.reason.endswith("these are the champion's decisions: retrain it")
    assert soundness.trivial(both(recalibrated))[0].verdict == "failed"


def test_of_one_class_a_constant_knows_everything() -> None:
    one = scored(margins(1), np.ones(400, dtype=np.int64))
    assert soundness.trivial(both(one))[0].verdict == "not_judged"


def test_one_class_among_the_judged_rows_tells_nothing() -> None:
    one = scored(margins(1), np.ones(400, dtype=np.int64))
    (result,) = soundness.judged_classes(one, ("bad", "good"))
    assert not result.passed
    assert result.reason.startswith("no judged row is of class bad, all are of class good; widen")
    assert soundness.judged_classes(scored(margins(1)), ("bad", "good"))[0].passed


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
        (result,) = soundness.scoring_time(gates, candidate=ours, champion=1e-6)
        assert result.passed is ok
        assert result.candidate == pytest.approx(ours * 1000)
    assert soundness.scoring_time(gates, candidate=1.0, champion=None)[0].passed
    (unmeasured,) = soundness.scoring_time(gates, candidate=None, champion=None)
    assert unmeasured.verdict == "not_judged"
    assert soundness.scoring_time(Gates(), candidate=9.0, champion=1.0) == []
    (broken,) = guarded(
        "scoring_time", lambda: soundness.scoring_time(gates, candidate=1.0, champion=0.0)
    )
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
    (result,) = soundness.preprocessing(Contest(candidate=OURS, champion=theirs))
    assert result.passed is ok
    assert words in result.reason


def test_structure_stays_while_statistics_move(spec: Make) -> None:
    parts = {"features": {"numeric": ["x"], "categorical": ["c"], "text": ["t"]}}
    mixed = spec(**parts)
    rng = np.random.default_rng(1)

    def fitted(words: list[str], one: Any = mixed) -> Any:
        columns = {"x": rng.normal(size=200), "c": rng.choice(words, 200)}
        frame = pd.DataFrame({**columns, "t": rng.choice(["red cat", "blue dog"], 200)})
        return training.fit(one, frame, rng.integers(0, 2, 200))

    old, new = fitted(["a", "b"]), fitted(["a", "b", "c"])
    assert preprocessing.structure(old) == preprocessing.structure(new)
    assert preprocessing.preprocessing_of(old) != preprocessing.preprocessing_of(new)
    assert preprocessing.preprocessing_of(old) == preprocessing.preprocessing_of(old)
    capped = [fitted(["a", "b"], spec(**parts, training={"cap": cap})) for cap in (5, 10, None)]
    assert len({str(preprocessing.structure(model)) for model in capped}) == 3
    other = fitted(["a"], spec(features={"numeric": [], "categorical": ["c"], "text": ["t"]}))
    assert preprocessing.structure(old) != preprocessing.structure(other)

"""Odd numbers, weights and classes on their way from training to an observation: no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.arrays import Floats, Ints
from tasks.classifier import calibration, scoring, training
from tasks.classifier.cut import Cut, cut_rows
from tasks.classifier.finite import NotFinite
from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import Facts, TrainingRows
from tasks.drift import probabilities, reference, scored_rows, verdict
from tasks.drift.explanation import explain
from tasks.drift.summary_json import summary_from_json, summary_to_json
from tasks.gates import acceptance
from tasks.gates.acceptance import Acceptance
from tasks.gates.contest import Contender, Contest
from tasks.ledger.figures import WindowFigures
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN

Make = Callable[..., ModelSpec]
ROWS = 600
ODD = [0.0, -0.0, 5e-324, 1e-300, 1e100, -1e100, 7000.0, 1.0]


def rows(n: int = ROWS, seed: int = 1) -> tuple[pd.DataFrame, Ints]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n))
    label = (x + 0.5 * z + rng.normal(scale=0.6, size=n) > 0).astype(np.int64)
    return pd.DataFrame({"x": x, "z": z}), label


def cut_of(spec: ModelSpec, label: Ints) -> Cut:
    share = {"calibrate": spec.calibration.share, "judge": spec.training.judge}
    return cut_rows(len(label), **share)


def accept(
    spec: ModelSpec, frame: pd.DataFrame, label: Ints, weight: Floats | None = None
) -> tuple[Any, Acceptance]:
    """Return what retrain makes of rows; what the ledger keeps of it must be JSON."""
    cut = cut_of(spec, label)
    fitted = training.fit(spec, frame[cut.fit], label[cut.fit])
    training.need_enough_to_calibrate(spec, label[cut.calibrate])
    method = spec.calibration.method
    model = calibration.learn_probabilities(
        fitted, frame[cut.calibrate], label[cut.calibrate], method
    )
    found = judge(spec, model, model, frame, label, weight)
    json.dumps(found.metrics.to_json(), allow_nan=False)
    json.dumps([result.to_json() for result in found.gates], allow_nan=False)
    kept = json.loads(json.dumps(reference.reference_to_json(found.reference), allow_nan=False))
    assert reference.reference_from_json(kept).spread == found.reference.spread
    return model, found


def judge(
    spec: ModelSpec,
    candidate: Any,
    champion: Any | None,
    frame: pd.DataFrame,
    label: Ints,
    weight: Floats | None = None,
) -> Acceptance:
    facts = Facts(np.arange(len(label)), None, {})
    known = TrainingRows(frame=frame, label=label, weight=weight, facts=facts)
    rival = None if champion is None else Contender(model=champion)
    contest = Contest(candidate=Contender(model=candidate), champion=rival)
    return acceptance.judge_candidate(spec, contest, known, cut_of(spec, label), timedelta(days=10))


def observe(
    spec: ModelSpec,
    model: Any,
    accepted: Acceptance,
    frame: pd.DataFrame,
    label: Ints,
    weight: Floats | None = None,
) -> tuple[verdict.Judgement, dict[str, Any]]:
    """Return the verdict on a window, and what the ledger would keep of it, which must be JSON."""
    against = accepted.reference
    decision, inputs = scoring.score(model, frame)
    found = scored_rows.summarise_rows(
        spec, against.summary.grid, model, frame, label, decision, inputs, weight
    )
    summary = summary_from_json(json.loads(json.dumps(summary_to_json(found), allow_nan=False)))
    said = verdict.judge_margins(summary, against, spec)
    held = probabilities.judge_probabilities(summary, against, spec)
    told = WindowFigures(
        **vars(explain(summary, against, said, accepted.metrics.hinge_gap)),
        statistics=said.statistics,
        calibration=probabilities.held_probabilities(summary, against, held),
    ).to_json()
    json.dumps(told, allow_nan=False)
    return said, told


@pytest.fixture(scope="module")
def plain() -> tuple[ModelSpec, Any, Acceptance]:
    spec = ModelSpec.model_validate(CHURN)
    return spec, *accept(spec, *rows())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    hnp.arrays(np.float64, (80, 2), elements=st.sampled_from(ODD) | st.floats(-3, 3)),
    hnp.arrays(np.int64, 80, elements=st.integers(-1, 1)),
    hnp.arrays(np.float64, 80, elements=st.sampled_from([0.0, 5e-324, 1.0, 1e100])),
)
def test_a_window_of_odd_numbers_and_weights_is_judged(
    plain: tuple[ModelSpec, Any, Acceptance], values: Floats, label: Ints, weight: Floats
) -> None:
    spec, model, accepted = plain
    frame = pd.DataFrame(values, columns=["x", "z"])
    try:
        said, _ = observe(spec, model, accepted, frame, label, weight)
    except NotFinite:  # names rows and remedy: see test_summary
        return
    assert said.verdict in ("steady", "drifting", "insufficient")


def test_one_row_one_class_and_equal_rows_are_judged(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    spec, model, accepted = plain
    one = spec.model_copy(update={"window": spec.window.model_copy(update={"min_rows": 1})})
    frame, label = rows(100, seed=2)
    assert observe(one, model, accepted, frame[:1], label[:1])[0].verdict
    said, _ = observe(spec, model, accepted, frame, np.ones_like(label))
    assert said.labelled
    assert said.reason.endswith("no label is 0, of which nothing is said")
    assert observe(spec, model, accepted, frame * 0, label)[0].verdict == "drifting"
    said, told = observe(spec, model, accepted, frame, label, np.zeros(100))
    assert not said.labelled
    assert "losses" not in told


def turned(frame: pd.DataFrame, column: str, value: float, at: int) -> pd.DataFrame:
    found = frame.copy()
    found.loc[at, column] = value
    return found


ODD_ROWS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a constant column": lambda f: f.assign(z=3.0),
    "only constant columns": lambda f: f.assign(x=0.0, z=3.0),
    "two equal columns": lambda f: f.assign(z=f.x),
    "an outlier that fits": lambda f: turned(f, "x", 1e100, 5),
    "an outlier that calibrates": lambda f: turned(f, "x", 1e100, 420),
    "an outlier that judges": lambda f: turned(f, "x", -1e100, 550),
    "a typo that judges": lambda f: turned(f, "x", 7000.0, 550),
    "subnormal numbers": lambda f: f.assign(x=f.x * 1e-310),
    "tiny numbers": lambda f: f.assign(x=f.x * 1e-200),
    "huge numbers": lambda f: f.assign(x=f.x * 1e99),
    "far numbers": lambda f: f.assign(x=f.x + 1e9),
    "negative zeros": lambda f: f.assign(z=-0.0),
}


@pytest.mark.parametrize("estimator", ["linear_svc", "sgd_hinge"])
@pytest.mark.parametrize("kind", ODD_ROWS)
def test_odd_training_rows_give_a_candidate_and_verdicts(
    spec: Make, kind: str, estimator: str
) -> None:
    one = spec(training={"estimator": estimator})
    frame, label = rows()
    model, accepted = accept(one, ODD_ROWS[kind](frame), label)
    said, _ = observe(one, model, accepted, *rows(100, seed=3))
    assert said.verdict in ("steady", "drifting", "insufficient")


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_three_classes_with_an_outlier_give_a_candidate(spec: Make, method: str) -> None:
    frame, label = rows()
    three = np.where(frame.z > 0.5, 2, label)
    one = spec(label={"classes": [0, 1, 2]}, calibration={"method": method})
    model, accepted = accept(one, turned(frame, "x", 7000.0, 550), three)
    assert observe(one, model, accepted, frame[:100], three[:100])[0].verdict == "steady"


WEIGHTS: dict[str, Callable[[int], Floats]] = {
    "a block of none": lambda n: np.where((np.arange(n) >= 442) & (np.arange(n) < 495), 0.0, 1.0),
    "all none": np.zeros,
    "one huge": lambda n: np.where(np.arange(n) == 500, 1e100, 1.0),
    "one alone": lambda n: np.where(np.arange(n) == 500, 1.0, 0.0),
    "subnormal": lambda n: np.full(n, 5e-324),
    "huge": lambda n: np.full(n, 1e100),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_odd_weights_give_a_reference_and_a_verdict(spec: Make, kind: str) -> None:
    frame, label = rows()
    model, accepted = accept(spec(), frame, label, WEIGHTS[kind](ROWS))
    said, _ = observe(spec(), model, accepted, *rows(100, seed=3))
    # Where the reference's labels weigh as much as a few rows, its losses are not compared.
    assert said.labelled == (kind in ("a block of none", "huge"))
    effects = accepted.reference.spread.design_effects
    assert all(np.isfinite(effect) and effect >= 1 for effect in effects.values())


def test_a_block_whose_labels_weigh_nothing_is_left_out_of_the_noise_of_the_loss(
    spec: Make,
) -> None:
    frame, label = rows()
    whole = accept(spec(), frame, label)[1].reference.spread
    part = accept(spec(), frame, label, WEIGHTS["a block of none"](ROWS))[1].reference.spread
    assert part.degrees == whole.degrees - 1
    assert part.design_effects["mean"] == whole.design_effects["mean"]


def test_a_candidate_whose_scores_are_no_numbers_is_refused_by_a_sentence(spec: Make) -> None:
    frame, label = rows()
    uncapped = spec(training={"cap": None})
    model, _ = accept(uncapped, frame, label)
    far = turned(frame, "x", 1e200, 550)
    with pytest.raises(TrainingError, match=r"decision values of 1 row\(s\) are not finite, or"):
        judge(uncapped, model, None, far, label)


def test_a_champion_whose_scores_are_no_numbers_fails_a_gate_by_name(spec: Make) -> None:
    frame, label = rows()
    model, _ = accept(spec(), frame, label)
    wild, _ = accept(spec(), frame, label)
    wild.estimator.estimator["model"].coef_[:] = np.inf
    with np.errstate(invalid="ignore"):
        found = judge(spec(), model, wild, frame, label)
    gate = found.gates[0]
    assert (gate.name, gate.verdict) == ("champion_answers", "failed")
    assert "are not finite" in gate.reason


@pytest.mark.parametrize("at", [420, 550])
@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_scores_beyond_all_measure_refuse_a_candidate_in_a_sentence(
    spec: Make, method: str, at: int
) -> None:
    frame, label = rows()
    far = turned(frame.assign(x=frame.x * 1e-140), "x", 1e100, at)
    one = spec(calibration={"method": method}, training={"cap": None})
    with pytest.raises(TrainingError, match=r"values of 1 row\(s\) .* beyond 1e\+150; .* expectat"):
        accept(one, far, label)

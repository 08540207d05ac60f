"""What a candidate is accepted on: real pipelines, judged on rows that their fit did not see."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.arrays import Ints
from tasks.classifier import calibration, scoring, training
from tasks.classifier.cut import Cut, cut_rows
from tasks.classifier.margins import hinge, margin
from tasks.classifier.training_rows import Facts, TrainingRows
from tasks.drift import reference, scored_rows
from tasks.drift.grid import Grid
from tasks.gates import acceptance
from tasks.gates.acceptance import Acceptance
from tasks.gates.contest import Contender, Contest
from tasks.gates.losses import Scored, rates
from tasks.spec.model import ModelSpec

Make = Callable[..., ModelSpec]
NOISE = [f"n{i}" for i in range(80)]
ROWS, FITTED, HELD, JUDGED = 2000, 1300, 700, 400  # at the default shares of 15 % and 20 %


def rows(count: int = ROWS, seed: int = 1, turned: bool = False) -> tuple[pd.DataFrame, Ints]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    truth = (x + 0.5 * z + rng.normal(scale=0.6, size=count) > 0) ^ turned
    return pd.DataFrame({"x": x, "z": z}), truth.astype(np.int64)


def sliced(spec: ModelSpec, label: Ints) -> Cut:
    return cut_rows(len(label), calibrate=spec.calibration.share, judge=spec.training.judge)


def trained(spec: ModelSpec, frame: pd.DataFrame, label: Ints) -> Any:
    cut = sliced(spec, label)
    fitted = training.fit(spec, frame[cut.fit], label[cut.fit])
    return calibration.learn_probabilities(
        fitted, frame[cut.calibrate], label[cut.calibrate], spec.calibration.method
    )


def answers(model: Any, frame: pd.DataFrame, truth: Ints) -> Scored:
    return Scored(scoring.decision_values(model, frame), model.predict_proba(frame), truth)


def judged(
    spec: ModelSpec, frame: pd.DataFrame, label: Ints, champion: Any = None, days: int = 20
) -> tuple[Any, Acceptance]:
    """Return a candidate trained on the rows, and what it is accepted on."""
    candidate = trained(spec, frame, label)
    found = judge(spec, candidate, labelled(frame, label), champion, days)
    return candidate, found


def labelled(frame: pd.DataFrame, label: Ints, **known: Any) -> TrainingRows:
    facts = known.pop("facts", Facts(np.arange(len(label)), None, {}))
    return TrainingRows(frame=frame, label=label, facts=facts, **known)


def judge(
    spec: ModelSpec, candidate: Any, rows: TrainingRows, champion: Any = None, days: int = 20
) -> Acceptance:
    rival = None if champion is None else Contender(model=champion)
    contest = Contest(candidate=Contender(model=candidate), champion=rival)
    return acceptance.judge_candidate(
        spec, contest, rows, sliced(spec, rows.label), timedelta(days=days)
    )


@pytest.fixture
def plain(spec: Make) -> tuple[ModelSpec, Any, Acceptance]:
    return spec(), *judged(spec(), *rows())


def test_the_reference_is_the_summary_of_exactly_the_rows_that_the_fit_did_not_see(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    spec, candidate, accepted = plain
    found = accepted.reference.summary
    frame, label = rows()
    held = frame[FITTED:]
    decision, inputs = scoring.score(candidate, held)
    expected = scored_rows.summarise_rows(
        spec, found.grid, candidate, held, label[FITTED:], decision, inputs
    )
    assert found.rows == found.labelled == HELD
    for kind in ("scores", "margins"):
        ours, theirs = getattr(found, kind), getattr(expected, kind)
        np.testing.assert_array_equal(ours.counts, theirs.counts)
        assert vars(ours.moments) == pytest.approx(vars(theirs.moments))
    assert vars(found.losses) == pytest.approx(vars(expected.losses))
    for name in spec.features.columns:
        assert vars(found.features[name]) == pytest.approx(vars(expected.features[name]))
    assert found.contributions == pytest.approx(expected.contributions)
    for name in ("0", "1"):
        assert vars(found.classes[name]) == pytest.approx(vars(expected.classes[name]))
        assert found.class_contributions[name] == pytest.approx(expected.class_contributions[name])


def test_its_grid_follows_its_scores_and_its_margins(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    _, candidate, accepted = plain
    frame, label = rows()
    summary = accepted.reference.summary
    decision = scoring.decision_values(candidate, frame[FITTED:])
    assert summary.grid == Grid.around(decision, margin(decision, label[FITTED:]))
    for kind in (summary.scores, summary.margins):
        assert kind.counts[[0, -1]].tolist() == [0, 0]
        assert kind.counts.max() <= 0.0048 * HELD


@pytest.mark.parametrize(
    ("days", "size", "blocks"),
    # A day's window each; at the least eight of them, so of 5 days some are shorter.
    [(20, 100, 13 + 7), (5, 250, 5 + 3), (8, 250, 5 + 3), (100, 20, 65 + 35)],
)
def test_blocks_are_as_long_as_a_window_and_at_least_eight(
    spec: Make, days: int, size: int, blocks: int
) -> None:
    _, accepted = judged(spec(), *rows(), days=days)
    spread = accepted.reference.spread
    assert (spread.rows, spread.degrees) == (size, blocks - 2)


def test_independent_rows_have_design_effects_near_one(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    effects = plain[2].reference.spread.design_effects
    assert all(1 <= effect < 2.5 for effect in effects.values())
    assert max(effects["scores"], effects["margins"]) < 1.5


def test_fewer_rows_than_windows_still_give_a_reference(spec: Make) -> None:
    _, accepted = judged(spec(), *rows(100), days=365)
    assert accepted.reference.summary.rows == 35
    assert (accepted.reference.spread.rows, accepted.reference.spread.degrees) == (1, 98)
    json.dumps(reference.reference_to_json(accepted.reference), allow_nan=False)


def test_the_metrics_are_those_of_the_judged_and_the_fitted_rows(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    _, candidate, accepted = plain
    frame, label = rows()
    margins = margin(scoring.decision_values(candidate, frame), label)
    fitted, ours = margins[:FITTED], margins[-JUDGED:]
    metrics = accepted.metrics
    assert (metrics.judged_rows, metrics.fitted_rows) == (JUDGED, FITTED)
    judged_frame, truth = frame[-JUDGED:], label[-JUDGED:]
    expected = rates(answers(candidate, judged_frame, truth))
    assert metrics.candidate == pytest.approx(expected, rel=1e-12)
    assert expected["hinge_loss"] == pytest.approx(hinge(ours).mean())
    assert 0 <= expected["calibration_error"] < 0.1
    assert metrics.champion is None
    assert metrics.hinge_gap == pytest.approx(hinge(ours).mean() - hinge(fitted).mean())
    assert metrics.support_vectors == (fitted <= 1).sum()
    json.dumps(metrics.to_json(), allow_nan=False)


def test_more_support_vectors_than_wrong_decisions_and_fewer_than_rows(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    _, candidate, accepted = plain
    frame, label = rows()
    wrong = (margin(scoring.decision_values(candidate, frame[:FITTED]), label[:FITTED]) <= 0).sum()
    assert 0 < wrong < accepted.metrics.support_vectors < FITTED


def test_a_model_that_learnt_noise_by_heart_has_a_wide_hinge_gap(spec: Make) -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(200, len(NOISE))), columns=NOISE)
    label = rng.integers(0, 2, 200)
    gaps = {}
    for regularisation in (1e-4, 1.0):
        noisy = spec(features={"numeric": NOISE}, training={"regularisation": regularisation})
        gaps[regularisation] = judged(noisy, frame, label)[1].metrics.hinge_gap
    assert abs(gaps[1e-4]) < 0.2 < 1 < gaps[1.0]


def test_the_first_candidate_passes_without_a_champion_to_compare_with(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    accepted = plain[2]
    assert [r.title for r in accepted.gates] == [
        "hinge loss",
        "error rate, class 0",
        "error rate, class 1",
        "another model",
        "judged classes",
        "trivial",
        "calibration slope",
        "ranking kept",
        "preprocessing",
        "time order",
        "separating features",
        "shared keys",
        "shared content",
    ]
    assert accepted.passed
    assert accepted.gates[0].reason == "no champion yet to compare with"


def test_a_champion_of_other_days_is_judged_on_the_same_rows_and_loses(spec: Make) -> None:
    champion = trained(spec(), *rows(seed=2, turned=True))
    frame, label = rows()
    _, accepted = judged(spec(), frame, label, champion)
    theirs = margin(scoring.decision_values(champion, frame[-JUDGED:]), label[-JUDGED:])
    same_rows = answers(champion, frame[-JUDGED:], label[-JUDGED:])
    assert accepted.metrics.champion == pytest.approx(rates(same_rows))
    assert accepted.passed
    result = accepted.gates[0]
    assert result.champion == pytest.approx(hinge(theirs).mean())
    assert (result.high or 0) < 0


def test_a_candidate_identical_to_its_champion_is_refused_by_name(spec: Make) -> None:
    same = spec(gates={"error_rate": {"not_worse_than": "champion", "by": 0.01}})
    champion = trained(same, *rows())
    _, accepted = judged(same, *rows(), champion)
    assert not accepted.passed
    assert (accepted.gates[0].low, accepted.gates[0].high) == (0, 0)
    (failed,) = [r for r in accepted.gates if not r.passed]
    assert failed.name == "another_model"
    assert failed.reason.startswith("identical to the champion on every judged row")


def test_the_calibration_is_kept_with_the_reference_of_two_classes(
    plain: tuple[ModelSpec, Any, Acceptance], spec: Make
) -> None:
    _, candidate, accepted = plain
    assert accepted.reference.sigmoid == calibration.sigmoid_of(candidate)
    frame, label = rows()
    more = label + (frame["x"] > 1).to_numpy()
    _, three = judged(spec(label={"classes": ["low", "middle", "high"]}), frame, more)
    assert three.reference.sigmoid is None
    assert set(three.reference.summary.class_contributions) == {"low", "middle", "high"}
    assert three.reference.summary.rows == HELD


def test_judged_again_it_is_the_same_to_the_last_digit(
    plain: tuple[ModelSpec, Any, Acceptance],
) -> None:
    spec, candidate, accepted = plain
    frame, label = rows()
    again = judge(spec, candidate, labelled(frame, label))
    assert again.gates == accepted.gates
    assert again.metrics == accepted.metrics
    assert reference.reference_to_json(again.reference) == reference.reference_to_json(
        accepted.reference
    )


def test_sample_weights_weigh_the_losses_of_the_reference(spec: Make) -> None:
    frame, label = rows()
    candidate = trained(spec(), frame, label)
    margins = margin(scoring.decision_values(candidate, frame), label)
    near = np.where(np.abs(margins) < 0.5, 5.0, 1.0)
    weighted = judge(spec(), candidate, labelled(frame, label, weight=near))
    held = hinge(margins[FITTED:])
    expected = float(np.average(held, weights=near[FITTED:]))
    assert weighted.reference.summary.losses.hinge_loss == pytest.approx(expected)
    assert abs(expected - held.mean()) > 0.1


def test_one_class_among_the_judged_rows_fails_by_name_and_the_rest_is_still_judged(
    spec: Make,
) -> None:
    frame, label = rows()
    label[-JUDGED:] = 1
    champion = trained(spec(), *rows(seed=2))
    _, accepted = judged(spec(), frame, label, champion)
    assert not accepted.passed
    (result,) = [r for r in accepted.gates if r.name == "judged_classes"]
    assert "all are of class 1" in result.reason
    assert next(r for r in accepted.gates if r.slice == "class 0").verdict == "not_judged"


def test_a_feature_that_is_the_label_fails_the_candidate(spec: Make) -> None:
    frame, label = rows()
    frame["z"] = label * 4.0
    _, accepted = judged(spec(), frame, label)
    assert [r.name for r in accepted.gates if not r.passed] == ["separating_features"]
    known = spec(gates={"hinge_loss": {"at_most": 1}, "may_separate": ["z"]})
    assert judged(known, frame, label)[1].passed


def test_times_and_keys_that_are_known_are_judged(spec: Make) -> None:
    frame, label = rows()
    by_shop = spec(gates={"hinge_loss": {"at_most": 1}, "slices": {"over": [{"column": "shop"}]}})
    candidate = trained(by_shop, frame, label)
    keys = np.arange(ROWS)
    shops = np.where(keys % 2 == 0, "east", "west")
    for key, ok in ((keys, True), (np.where(keys == ROWS - 1, 0, keys), False)):
        facts = Facts(np.arange(ROWS), key, {"shop": shops})
        accepted = judge(by_shop, candidate, labelled(frame, label, facts=facts))
        assert accepted.passed is ok
        found = {r.title: r for r in accepted.gates}
        assert found["time order"].verdict == "passed"
        assert found["shared keys"].passed is ok
        assert found["error rate, shop east"].rows == JUDGED / 2


def test_a_champion_that_cannot_score_the_rows_is_a_failed_gate(spec: Make) -> None:
    wider = spec(features={"numeric": ["x", "z", "w"]})
    frame, label = rows()
    champion = trained(wider, frame.assign(w=0.5 * frame["x"] ** 2), label)
    _, accepted = judged(spec(), frame, label, champion)
    (failed,) = [r for r in accepted.gates if r.name == "champion_answers"]
    assert not accepted.passed
    assert "the champion cannot score these rows (KeyError: " in failed.reason
    assert "keep its features in the spec" in failed.reason
    assert accepted.metrics.champion is None

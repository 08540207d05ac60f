"""Broken features, margins, labels and deployments are told apart from drift, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.arrays import Floats, Ints
from tasks.drift.diagnosis import diagnose
from tasks.drift.explanation import SHOWN, explain
from tasks.drift.grid import Grid
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.drift.summary import Summary, summarise
from tasks.drift.verdict import Judgement, judge_margins
from tasks.spec.model import ModelSpec

GRID = Grid.even(-60.0, 60.0)
WEIGHTS = np.array([1.5, -0.5, 0.8])
NAMES = ("price", "demand", "still")
ROWS = 2000


def rows(seed: int) -> Floats:
    x = np.random.default_rng(seed).normal(size=(ROWS, 3))
    x[:, 2] = 4.0
    return x


def labels(x: Floats, seed: int = 1) -> Ints:
    noise = np.random.default_rng(seed).normal(scale=0.5, size=len(x))
    return (x[:, :2] @ WEIGHTS[:2] + noise > 0).astype(np.int64)


def of(x: Floats, label: Ints, logged: Floats | None = None) -> Summary:
    """Return the summary of a linear model's rows; 3.2 is what the constant feature adds."""
    contributions = {n: float(c) for n, c in zip(NAMES, (x * WEIGHTS).sum(axis=0), strict=True)}
    scores = x @ WEIGHTS - 3.2
    by_class = {
        name: {
            n: float(c) * (1 if side else -1)
            for n, c in zip(NAMES, (x[label == side] * WEIGHTS).sum(axis=0), strict=True)
        }
        for side, name in enumerate(("no", "yes"))
    }
    return summarise(
        GRID,
        scores if logged is None else logged,
        label,
        ("no", "yes"),
        dict(zip(NAMES, x.T, strict=True)),
        contributions={**contributions, "(intercept)": -3.2 * len(x)},
        class_contributions=by_class,
    )


@pytest.fixture
def reference() -> Reference:
    blocks = [of(rows(seed), labels(rows(seed))) for seed in range(10)]
    return reference_from_blocks([blocks], 1, sigmoid=(-2.0, 0.0))


@pytest.fixture
def found(reference: Reference, spec: Any) -> Any:
    """Return the names of the diagnoses of a window."""
    policy: ModelSpec = spec()

    def names(window: Summary, **extra: Any) -> list[str]:
        said = judge_margins(window, reference, policy)
        return [d.name for d in diagnose(window, reference.summary, said, **extra)]

    return names


def test_a_class_without_labels_is_missed_and_one_without_a_reference_is_new(
    reference: Reference, spec: Any
) -> None:
    policy: ModelSpec = spec()
    one_sided = np.zeros(ROWS, dtype=np.int64)
    window = of(rows(99), one_sided)
    (absent,) = [
        d
        for d in diagnose(window, reference.summary, judge_margins(window, reference, policy))
        if d.name == "class_absent"
    ]
    yes = reference.summary.classes["yes"].rows / 10
    assert absent.finding == (f"none of 2,000 labels is yes, where {yes:.0f} were to be expected")
    assert "missing upstream" in absent.advice
    before = reference_from_blocks([[of(rows(seed), one_sided) for seed in range(10)]], 1)
    (new,) = diagnose(
        of(rows(99), labels(rows(99))),
        before.summary,
        judge_margins(of(rows(99), labels(rows(99))), before, policy),
    )
    assert new.name == "class_new"
    assert new.finding.endswith(
        "of 2,000 labels are yes; of the 20,000 on which the champion was accepted 0 were"
    )
    assert "retrain once training.window has 30 rows" in new.advice


def test_a_healthy_window_has_no_diagnosis(found: Any) -> None:
    assert found(of(rows(99), labels(rows(99)))) == []


def test_real_drift_of_the_labelling_rule_and_of_a_feature_is_not_called_broken(found: Any) -> None:
    x = rows(99)
    x[:, 0] += 1.5
    turned = (x[:, :2] @ np.array([0.2, 1.0]) > 0).astype(np.int64)
    assert found(of(x, turned)) == []


def test_a_feature_times_100_is_a_broken_scaling_with_its_factor(
    reference: Reference, spec: Any
) -> None:
    x = rows(99)
    x[:, 1] = x[:, 1] * 100
    window = of(x, labels(rows(99)))
    said = judge_margins(window, reference, spec())
    first = diagnose(window, reference.summary, said)[0]
    assert first.name == "broken_scaling"
    assert "demand varies 9" in first.finding or "demand varies 10" in first.finding
    assert "a change of unit" in first.finding
    assert "persistent_label_noise" not in [
        d.name for d in diagnose(window, reference.summary, said)
    ]


def test_a_constant_that_came_alive_is_named(found: Any) -> None:
    x = rows(99)
    x[:, 2] += np.random.default_rng(5).normal(size=ROWS)
    assert found(of(x, labels(x))) == ["constant_came_alive"]
    moved = rows(99)
    moved[:, 2] = 4.5
    assert found(of(moved, labels(moved))) == ["constant_came_alive"]


def test_margins_that_say_the_same_of_every_row_have_collapsed(found: Any) -> None:
    x = rows(99)
    x[:, :2] *= 0.05
    assert "margin_collapse" in found(of(x, labels(x)))


def test_random_label_flips_under_steady_scores_are_label_noise(found: Any) -> None:
    x = rows(99)
    flipped = labels(x) ^ (np.random.default_rng(6).random(ROWS) < 0.2)
    assert found(of(x, flipped)) == ["persistent_label_noise"]


def test_a_few_rows_with_most_of_the_loss_dominate(found: Any) -> None:
    x = rows(99)
    label = labels(x)
    x[:3, 0], label[:3] = 35.0, 0
    assert found(of(x, label)) == ["outlier_domination"]


def test_a_window_without_any_loss_has_no_gradient(found: Any) -> None:
    x = rows(99)
    x[:, 0] = np.sign(x[:, 0]) * (np.abs(x[:, 0]) + 3)
    label = (x[:, 0] > 0).astype(np.int64)
    assert "zero_gradient_share" in found(of(x, label))


def test_logged_margins_of_another_version_are_a_deployment_drift(found: Any) -> None:
    x = rows(99)
    other = x @ np.array([1.2, 0.4, 0.8]) - 2.9
    assert found(of(x, labels(x), logged=other)) == ["deployment_drift"]
    assert found(of(x, labels(x), logged=x @ WEIGHTS - 3.2)) == []


def test_a_champion_that_was_fit_too_closely_is_named(found: Any, reference: Reference) -> None:
    window = of(rows(99), labels(rows(99)))
    judged = reference.summary.losses.hinge_loss
    assert found(window, hinge_gap=0.8 * judged) == ["overfit_margin"]
    assert found(window, hinge_gap=0.1 * judged) == []


def test_the_explanation_adds_up_and_names_the_feature_that_moved(
    reference: Reference, spec: Any
) -> None:
    x = rows(99)
    x[:, 0] += 1
    window = of(x, labels(x))
    told = explain(window, reference, judge_margins(window, reference, spec()), None)
    moved = told.moved
    mean = window.scores.moments.mean - reference.summary.scores.moments.mean
    assert moved.total == pytest.approx(mean, abs=1e-9)
    assert sum(moved.features.values()) + moved.rest == pytest.approx(mean, abs=1e-9)
    assert next(iter(moved.features)) == "price"
    assert told.features[0].feature == "price"
    assert told.features[0].shift == pytest.approx(1, abs=0.1)
    assert len(told.features) <= SHOWN
    assert told.classes is not None
    yes = told.classes["yes"]
    assert yes.share > yes.share_reference
    assert told.expected is None


def test_without_labels_the_loss_is_estimated_from_the_probabilities(
    reference: Reference, spec: Any
) -> None:
    window = of(rows(99), np.full(ROWS, -1))
    said: Judgement = judge_margins(window, reference, spec())
    told = explain(window, reference, said, None)
    assert told.expected is not None
    f = rows(99) @ WEIGHTS - 3.2
    p = 1 / (1 + np.exp(-2 * f))
    assert told.expected.accuracy == pytest.approx(np.where(f > 0, p, 1 - p).mean(), abs=0.01)
    loss = p * np.maximum(0, 1 - f) + (1 - p) * np.maximum(0, 1 + f)
    assert told.expected.hinge_loss == pytest.approx(loss.mean(), abs=0.02)
    assert told.losses is None
    more = replace(reference, sigmoid=None)
    assert explain(window, more, said, None).expected is None


@pytest.mark.parametrize("typos", [0, 3, 400])
def test_a_few_scores_beyond_the_references_that_make_the_distance_are_told(
    spec: Any, typos: int
) -> None:
    accepted = rows(3) @ WEIGHTS - 3.2
    grid = Grid.around(accepted, np.empty(0))

    def scored(scores: Floats) -> Summary:
        return summarise(grid, scores, np.full(len(scores), -1), ("no", "yes"), {})

    against = reference_from_blocks([[scored(part) for part in np.split(accepted, 20)]], 1)
    scores = rows(4) @ WEIGHTS - 3.2
    scores[:typos] = 900.0
    window = scored(scores)
    said = judge_margins(window, against, spec())
    told = diagnose(window, against.summary, said)
    assert [d.name for d in told] == (["outlier_domination"] if typos == 3 else [])
    if told:
        assert said.reason == "above the limit: wasserstein"
        assert "0.45% of the rows, whose scores lie beyond all" in told[0].finding

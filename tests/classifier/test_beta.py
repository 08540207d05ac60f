"""Beta calibration against its formula, another fit of it, and what it should be better at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression

from tasks.arrays import Floats, Ints
from tasks.classifier import beta, platt


def sample(a: float, b: float, c: float, n: int = 4000, seed: int = 1) -> tuple[Floats, Ints]:
    """Return scores of deviation 1 and labels of a beta map with these parameters."""
    rng = np.random.default_rng(seed)
    decision = rng.normal(size=n)
    decision = (decision - decision.mean()) / decision.std()
    p = expit(a * log_expit(decision) - b * log_expit(-decision) + c)
    return decision, (rng.random(n) < p).astype(np.int64)


def test_it_finds_the_parameters_that_made_the_labels() -> None:
    decision, label = sample(3.0, 0.5, -0.3, n=40_000)
    learnt = beta.learn(decision, label)
    found = beta.parameters(learnt, decision)
    for name, value in (("a", 3.0), ("b", 0.5), ("c", -0.3)):
        assert abs(found[name] - value) < 4 * found[f"{name}_error"]
    s = expit(decision / found["unit"])
    odds = np.exp(found["c"]) * s ** found["a"] / (1 - s) ** found["b"]
    assert learnt.predict(decision) == pytest.approx(1 / (1 + 1 / odds), abs=1e-12)


def test_it_is_the_greatest_likelihood_of_another_solver() -> None:
    decision, label = sample(1.5, 0.8, 0.4)
    found = beta.parameters(beta.learn(decision, label), decision)
    s = expit(decision)
    inputs = np.column_stack([np.log(s), -np.log(1 - s)])
    hits = label.sum()
    high, low = (hits + 1) / (hits + 2), 1 / (len(label) - hits + 2)
    target = np.where(label == 1, high, low)  # Platt's, as rows of both classes with weights
    both = np.repeat([1, 0], len(label))
    solver = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    solver.fit(np.vstack([inputs, inputs]), both, sample_weight=np.r_[target, 1 - target])
    assert [found["a"], found["b"]] == pytest.approx(solver.coef_[0].tolist(), rel=1e-4)
    assert found["c"] == pytest.approx(float(solver.intercept_[0]), rel=1e-4)


def test_two_tails_that_differ_are_nearer_than_a_sigmoid_brings_them() -> None:
    decision, label = sample(3.0, 0.3, 0.0)
    true = expit(3.0 * log_expit(decision) - 0.3 * log_expit(-decision))
    mine, theirs = (
        np.abs(m.learn(decision, label).predict(decision) - true).mean() for m in (beta, platt)
    )
    assert mine < theirs / 2


@settings(max_examples=15, deadline=None)
@given(
    power=st.integers(-60, 60),
    parameters=st.tuples(st.floats(0, 4), st.floats(0, 4), st.floats(-2, 2)),
    seed=st.integers(0, 99),
)
def test_the_unit_of_the_scores_and_the_order_of_the_rows_change_nothing(
    power: int, parameters: tuple[float, float, float], seed: int
) -> None:
    decision, label = sample(*parameters, n=300, seed=seed)
    one = beta.learn(decision, label)
    order = np.random.default_rng(seed).permutation(300)
    scaled = decision * 2.0**power
    other = beta.learn(scaled[order], label[order])
    assert (one.predict(decision) == other.predict(scaled)).all()
    found, again = beta.parameters(one, decision), beta.parameters(other, scaled)
    assert [again[p] for p in "abc"] == [found[p] for p in "abc"]
    assert found["a"] >= 0
    assert found["b"] >= 0


def test_a_tail_that_would_turn_round_is_held_flat_and_has_no_error() -> None:
    decision, label = sample(2.0, -1.5, 0.0)
    found = beta.parameters(beta.learn(decision, label), decision)
    assert (found["b"], found["b_error"]) == (0.0, 0.0)
    assert found["a"] > 0
    assert found["a_error"] > 0
    assert "b = 0.000 ± 0.000" in beta.told({"yes": found})


def test_its_errors_are_what_a_bootstrap_of_the_rows_shows() -> None:
    decision, label = sample(1.5, 0.8, 0.4, n=1500)
    found = beta.parameters(beta.learn(decision, label), decision)
    rng = np.random.default_rng(4)
    drawn = []
    for _ in range(150):
        rows = rng.integers(0, len(label), len(label))
        again = beta.parameters(beta.learn(decision[rows], label[rows]), decision[rows])
        drawn.append([again[p] for p in "abc"])
    spread = np.std(drawn, axis=0)
    assert [found[f"{p}_error"] for p in "abc"] == pytest.approx(spread, rel=0.25)


def test_equal_tails_are_a_sigmoid_and_say_so() -> None:
    alike = beta._of(2.0, 1.5, 1.5, 0.25)
    assert beta.sigmoid(alike) == (-0.75, -0.25)
    scores = np.linspace(-9, 9, 50)
    assert alike.predict(scores) == pytest.approx(expit(0.75 * scores + 0.25), abs=1e-12)
    assert beta.sigmoid(beta._of(2.0, 1.5, 1.4, 0.25)) is None

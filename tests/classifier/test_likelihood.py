"""Standard errors where rows tell everything of the parameters, and where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.classifier.likelihood import standard_errors


def test_errors_are_those_of_the_inverse_hessian_on_any_scale() -> None:
    scores = np.random.default_rng(1).normal(size=500)
    p = 1 / (1 + np.exp(-scores))
    inputs = np.column_stack([scores, np.ones(500)])
    hessian = inputs.T @ (inputs * (p * (1 - p))[:, None])
    expected = np.sqrt(np.diag(np.linalg.inv(hessian)))
    assert standard_errors(inputs, p) == pytest.approx(expected)
    scaled = standard_errors(inputs * [1e7, 1], p)
    assert scaled == pytest.approx(expected / [1e7, 1])


@pytest.mark.parametrize("score", [-0.7, 1.0, 1e5, 0.1 + 1e-9])
def test_scores_that_are_all_the_same_have_small_and_finite_errors(score: float) -> None:
    inputs = np.column_stack([np.full(500, score), np.ones(500)])
    found = standard_errors(inputs, np.full(500, 0.2))
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(0.5 / np.sqrt(500 * 0.16))  # one fact, shared by two numbers


def test_a_slice_without_a_doubt_has_nothing_to_invert() -> None:
    inputs = np.column_stack([np.arange(5.0), np.ones(5)])
    assert (standard_errors(inputs, np.ones(5)) == 0).all()

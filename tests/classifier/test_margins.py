"""Margins and losses, by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import hinge_loss

from tasks.arrays import Floats
from tasks.classifier.margins import confidence, error, hinge, margin, violation

THREE = np.array([[2.0, -1.0, 0.5], [0.1, 0.4, 0.4], [-3.0, -2.0, -0.5]])
scores = st.floats(-100, 100)


def test_of_two_classes_the_confidence_is_the_decision_value() -> None:
    decision = np.array([-1.5, 0.0, 2.0])
    np.testing.assert_array_equal(confidence(decision), decision)


def test_of_more_classes_the_confidence_is_the_lead_of_the_top_score() -> None:
    np.testing.assert_allclose(confidence(THREE), [1.5, 0.0, 1.5])


def test_the_binary_margin_is_positive_where_the_decision_is_right() -> None:
    got = margin(np.array([2.0, 2.0, -0.5, -0.5]), np.array([1, 0, 1, 0]))
    np.testing.assert_array_equal(got, [2.0, -2.0, -0.5, 0.5])


def test_the_multi_class_margin_is_the_lead_of_the_true_class() -> None:
    np.testing.assert_allclose(margin(THREE, np.array([0, 1, 0])), [1.5, 0.0, -2.5])


def test_the_decision_values_are_left_as_they_were() -> None:
    kept = THREE.copy()
    margin(THREE, np.array([0, 1, 2]))
    np.testing.assert_array_equal(THREE, kept)


def test_losses_of_known_margins() -> None:
    margins = np.array([-0.5, 0.0, 0.25, 1.0, 3.0])
    np.testing.assert_array_equal(hinge(margins), [1.5, 1.0, 0.75, 0.0, 0.0])
    np.testing.assert_array_equal(violation(margins), [True, True, True, False, False])
    np.testing.assert_array_equal(error(margins), [True, True, False, False, False])


def test_no_rows_have_no_margins() -> None:
    nothing = np.empty(0, dtype=np.int64)
    assert margin(np.empty(0), nothing).shape == (0,)
    assert margin(np.empty((0, 3)), nothing).shape == confidence(np.empty((0, 3))).shape == (0,)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, st.integers(2, 50), elements=scores), st.data())
def test_the_mean_binary_hinge_is_scikit_learns(decision: Floats, data: st.DataObject) -> None:
    label = data.draw(hnp.arrays(np.int64, len(decision), elements=st.integers(0, 1)))
    label[:2] = [0, 1]  # scikit-learn takes the only class of a sample for the negative one
    ours = hinge(margin(decision, label)).mean()
    assert ours == pytest.approx(hinge_loss(2 * label - 1, decision, labels=[-1, 1]))


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 6), st.integers(1, 50), st.data())
def test_the_mean_multi_class_hinge_is_scikit_learns(
    classes: int, rows: int, data: st.DataObject
) -> None:
    decision = data.draw(hnp.arrays(np.float64, (rows, classes), elements=scores))
    label = data.draw(hnp.arrays(np.int64, rows, elements=st.integers(0, classes - 1)))
    ours = hinge(margin(decision, label)).mean()
    assert ours == pytest.approx(hinge_loss(label, decision, labels=list(range(classes))))


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, (20, 4), elements=scores))
def test_the_margin_of_the_predicted_class_is_the_confidence(decision: Floats) -> None:
    predicted = decision.argmax(axis=1)
    np.testing.assert_allclose(margin(decision, predicted), confidence(decision))
    others = (predicted + 1) % 4
    assert error(margin(decision, others)).all()

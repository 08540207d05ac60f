"""Moments of numbers keep their digits, whatever they are and however they are merged."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tasks.arrays import Floats
from tasks.drift.moments import Moments


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e305, 1e305)),
    st.integers(0, 40),
    st.integers(-1020, 0),
)
def test_moments_of_any_finite_numbers_are_those_of_fractions(
    values: Floats, cut: int, power: int
) -> None:
    values = np.ldexp(values, power)
    exact = [Fraction(v) for v in values.tolist()]
    mean = sum(exact) / len(exact)
    squares = sum((v - mean) ** 2 for v in exact)
    size = max(abs(v) for v in exact) or Fraction(1)
    for found in (Moments.of(values), Moments.of(values[:cut]).merge(Moments.of(values[cut:]))):
        assert found.n == len(values)
        assert abs(Fraction(found.mean) - mean) <= size / 10**12 + Fraction(5e-324)
        root = Fraction(sqrt(squares / size**2)) * size
        assert abs(Fraction(found.norm) - root) <= size / 10**7 + 40 * Fraction(5e-324)


def test_one_outlier_leaves_the_moments_of_a_column_its_digits() -> None:
    values = np.append(np.random.default_rng(2).normal(size=1000), 1e150)
    found = Moments.of(values).merge(Moments.of(np.zeros(999)))
    assert found.mean == pytest.approx(5e146, rel=1e-14)
    assert found.deviation == pytest.approx(1e150 / 2000**0.5, rel=1e-3)


@pytest.mark.parametrize("offset", [0.0, 50.0, 1e3, 1e9, 1e160, 1e300])
def test_moments_keep_their_digits_however_far_from_0_the_values_lie(offset: float) -> None:
    deviations = np.random.default_rng(1).normal(size=5000) * max(1.0, offset * 1e-9)
    values = offset + deviations
    found = Moments.of(values)
    exact = np.mean(values, dtype=np.longdouble)
    assert found.mean == pytest.approx(float(exact), rel=1e-14)
    assert found.norm == pytest.approx(float(np.sqrt(((values - exact) ** 2).sum())), rel=1e-10)
    assert Moments.of(np.full(5000, offset + 1 / 3)).constant


def test_moments_of_one_value_have_no_deviation() -> None:
    one = Moments.of(np.array([3.0]))
    assert (one.deviation, one.constant) == (0.0, True)
    assert not one.merge(Moments.of(np.array([4.0]))).constant

"""A window's pictures are well formed and show what the figures say."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tasks.drift.grid import Bins
from tasks.drift.reliability_table import ReliabilityTable
from tasks.drift.summary import Distribution
from tasks.views import pictures

values = arrays.arrays(
    np.float64, st.integers(1, 80), elements=st.floats(-1e6, 1e6, allow_subnormal=False)
)


@settings(deadline=None)
@given(values, values)
def test_a_histogram_is_a_picture_whatever_the_margins_are(
    ours: np.ndarray, theirs: np.ndarray
) -> None:
    bins = Bins.around(theirs)
    drawn = pictures.histogram(
        bins, Distribution.of(bins, ours), Distribution.of(bins, theirs), "f"
    )
    lines = ElementTree.fromstring(str(drawn)).iter("polyline")
    for line in lines:
        points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
        assert all(0 <= x <= 460 and 0 <= y <= 240 for x, y in points)


def test_shares_add_up_to_all_rows_of_each_side() -> None:
    rng = np.random.default_rng(1)
    bins = Bins.around(rng.normal(size=500))
    edges = np.linspace(-3, 3, 49)
    for size in (10, 900):
        points = pictures._points(bins, Distribution.of(bins, rng.normal(size=size)))
        assert pictures._shares(points, edges).sum() == pytest.approx(1)


def test_without_a_row_there_is_no_histogram() -> None:
    bins = Bins.even(-1, 1, 4)
    nothing = Distribution.of(bins, np.empty(0))
    assert pictures.histogram(bins, nothing, nothing, "f") == ""


def test_two_histograms_beside_each_other_have_the_same_axes() -> None:
    def axes(drawn: str) -> list[str]:
        return [str(text.text) for text in ElementTree.fromstring(drawn).iter("text")]

    rng = np.random.default_rng(2)
    bins, other = Bins.even(-4, 4, 80), Bins.even(-40, 40, 90)
    near = Distribution.of(bins, rng.normal(size=900))
    far = Distribution.of(other, 9 * rng.normal(size=900))
    one = pictures.histogram(bins, near, near, "f", [(other, far)])
    two = pictures.histogram(other, far, far, "f", [(bins, near)])
    assert axes(str(one)) == axes(str(two)) != axes(str(pictures.histogram(bins, near, near, "f")))


def test_a_name_is_no_part_of_the_pictures_code() -> None:
    bins = Bins.even(-1, 1, 4)
    one = Distribution.of(bins, np.zeros(3))
    assert "<b>" not in pictures.histogram(bins, one, one, "<b>")


def test_each_bin_of_probabilities_is_a_dot() -> None:
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.15, 0.85]])
    table = ReliabilityTable.of(probability, np.array([0, 1, 0]))
    drawn = pictures.reliability_picture(table)
    dots = list(ElementTree.fromstring(str(drawn)).iter("circle"))
    assert len(dots) == 3
    assert pictures.reliability_picture(ReliabilityTable()) == ""


def test_a_bin_whose_rows_weigh_nothing_gives_its_number_to_no_other_dot() -> None:
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    table = ReliabilityTable.of(probability, np.array([0, 1, 1]), np.array([0.0, 1.0, 1.0]))
    drawn = ElementTree.fromstring(str(pictures.reliability_picture(table)))
    (dot,) = drawn.iter("circle")
    assert dot[0].text == "2 rows: said 0.800, happened 1.000"


@pytest.mark.parametrize(("value", "left"), [(2.0, "50.0"), (-2.0, "2.0"), (0.0, "50.0")])
def test_a_fall_goes_to_the_left_and_a_rise_to_the_right(value: float, left: str) -> None:
    (drawn,) = ElementTree.fromstring(str(pictures.bar(value, 2.0))).iter("rect")
    assert drawn.get("x") == left

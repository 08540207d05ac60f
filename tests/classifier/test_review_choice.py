"""Which rows are chosen for review, whatever their order, and how probable each was."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.classifier.review_choice import Choice, Chosen, TooManySlices, conflict, drawn
from tasks.spec.review_options import Preference

ROWS = st.lists(
    st.tuples(st.integers(0, 5).map(float), st.sampled_from("abc")), min_size=1, max_size=60
)


def choose(
    rows: list[tuple[int, float, str]],
    prefer: Preference,
    at_most: int,
    batch: int = 1000,
    secret: str = "window",
) -> list[Chosen[int]]:
    choice: Choice[int] = Choice(prefer, at_most)
    for first in range(0, len(rows), batch):
        part = rows[first : first + batch]
        chance = drawn([number for number, _, _ in part], secret)
        order = chance if prefer in ("random", "slices") else np.array([o for _, o, _ in part])
        slices = [name if prefer == "slices" else "" for _, _, name in part]
        for place in choice.places(order, chance, slices):
            number = part[place][0]
            at = (float(order[place]), float(chance[place]))
            choice.add(*at, str(number), slices[place], number)
    assert choice.candidates == len(rows)
    return choice.chosen()


@given(ROWS, st.sampled_from(["uncertain", "random", "slices"]), st.integers(3, 20), st.data())
def test_neither_the_order_of_rows_nor_batches_make_a_difference(
    rows: list[tuple[float, str]], prefer: Preference, at_most: int, data: st.DataObject
) -> None:
    numbered = [(number, *row) for number, row in enumerate(rows)]
    found = choose(numbered, prefer, at_most)
    shuffled = data.draw(st.permutations(numbered))
    assert choose(shuffled, prefer, at_most, data.draw(st.integers(1, 9))) == found
    assert len(found) == min(at_most, len(rows))
    assert all(0 < one.probability <= 1 for one in found)


@given(ROWS, st.integers(1, 20))
def test_uncertain_rows_are_those_that_a_sort_puts_first(
    rows: list[tuple[float, str]], at_most: int
) -> None:
    found = choose([(n, *row) for n, row in enumerate(rows)], "uncertain", at_most, batch=7)
    expected = sorted(margin for margin, _ in rows)[:at_most]
    assert [rows[one.row][0] for one in found] == expected
    assert {one.probability for one in found} == {1.0}


@given(ROWS, st.integers(3, 20))
def test_slices_get_alike_and_what_one_lacks_goes_to_the_others(
    rows: list[tuple[float, str]], at_most: int
) -> None:
    found = choose([(n, *row) for n, row in enumerate(rows)], "slices", at_most)
    there = Counter(name for _, name in rows)
    got = Counter(rows[one.row][1] for one in found)
    full = [name for name in there if got[name] == there[name]]
    others = [got[name] for name in there if name not in full]
    assert max(others, default=0) - min(others, default=0) <= 1
    assert not others or all(got[name] <= min(others) + 1 for name in full)
    for one in found:
        name = rows[one.row][1]
        assert one.probability == got[name] / there[name]


def test_over_many_windows_each_row_is_drawn_as_often_as_its_probability_says() -> None:
    rows = [(number, 0.0, "a") for number in range(40)]
    times = Counter(
        one.row for w in range(2000) for one in choose(rows, "random", 10, secret=str(w))
    )
    # A quarter of 2,000, give or take five standard deviations of a binomial count.
    assert all(abs(times[number] - 500) < 5 * np.sqrt(2000 * 0.25 * 0.75) for number in range(40))


def test_evidence_conflicts_where_both_sides_are_strong() -> None:
    parts = np.array([[2.0, -1.9], [0.1, -0.1], [5.0, 1.0], [-3.0, 0.5]])
    assert conflict(parts).tolist() == [1.9, 0.1, 0.0, 0.5]


def test_a_column_of_too_many_values_is_no_column_of_slices() -> None:
    choice: Choice[int] = Choice("slices", 5)
    with pytest.raises(TooManySlices, match=r"review\.over .* fewer values, or prefer: random"):
        choice.places(np.zeros(101), np.zeros(101), [str(n) for n in range(101)])
    with pytest.raises(TooManySlices, match=r"tells 3 slices apart, and review.at_most is 2"):
        choose([(0, 0.0, "a"), (1, 0.0, "b"), (2, 0.0, "c")], "slices", 2)

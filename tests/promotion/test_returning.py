"""When an earlier champion, measured beside the newest, is the better one again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drift.reference import Spread
from tasks.drift.verdict import Verdict
from tasks.promotion.returning import SeenBeside, better
from tests.support.flow import MODEL
from tests.support.versions import mean_losses

SPREAD = Spread(300, 16, {"hinge": 1.0})


def window(
    verdict: Verdict, loss: float | None, rows: int = 300, spread: float = 0.25
) -> SeenBeside:
    if loss is None:
        return SeenBeside(verdict, None, SPREAD)
    return SeenBeside(verdict, mean_losses(loss, spread, rows), SPREAD)


def test_one_window_with_a_clearly_lower_loss_is_enough() -> None:
    why = better(MODEL, window("drifting", 1.2), window("steady", 0.3))
    assert str(why).startswith("its hinge loss is 0.90 lower, and chance shows 0.")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (window("drifting", 0.35), window("steady", 0.3)),  # less than matters
        (window("drifting", 0.6, rows=10), window("steady", 0.3, rows=10)),  # chance
        (window("drifting", None), window("steady", None)),  # no labels
        (window("drifting", 1.2), window("insufficient", None)),
        (window("insufficient", None), window("insufficient", None)),
        (window("insufficient", None), window("drifting", 0.9)),
    ],
)
def test_nobody_goes_back_on_less(new: SeenBeside, old: SeenBeside) -> None:
    assert better(MODEL, new, old) is None


def test_a_champion_that_cannot_be_measured_gives_way_to_one_that_is_steady() -> None:
    why = better(MODEL, window("insufficient", None), window("steady", 0.3))
    assert why == "the window can be measured under the old version alone, and is steady there"


@given(st.floats(0, 3), st.floats(0, 3))
def test_of_two_versions_at_most_one_is_the_better(one: float, other: float) -> None:
    a, b = window("steady", one), window("steady", other)
    assert better(MODEL, a, b) is None or better(MODEL, b, a) is None

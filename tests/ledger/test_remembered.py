"""What is remembered of earlier champions: the level, the change, and who may come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger import remembered
from tasks.ledger.remembered import ATTEMPTS, Reign
from tests.support.flow import MODEL

SPEC = MODEL.model_copy(
    update={"training": MODEL.training.model_copy(update={"window": timedelta(days=8)})}
)


def day(number: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


FIRST = Reign(1, day(1), None, 0.3)
MAKESHIFT = Reign(2, day(23), day(20), 0.7)


def test_the_level_is_that_of_the_best_champion_before_the_change() -> None:
    better = Reign(2, day(10), None, 0.2)
    last = Reign(3, day(23), day(20), 0.7)
    assert remembered.level(SPEC, [FIRST, MAKESHIFT], day(25)) == 1
    assert remembered.level(SPEC, [FIRST, better, last], day(25)) == 2


@pytest.mark.parametrize(
    ("reigns", "now"),
    [
        ([FIRST], day(25)),
        ([FIRST, Reign(2, day(23), None, 0.7)], day(25)),  # for no episode
        ([FIRST, Reign(2, day(23), day(20), 0.29)], day(25)),  # as good as before
        ([FIRST, Reign(2, day(23), day(20), None)], day(25)),  # nobody knows how good
        ([FIRST, MAKESHIFT], day(20 + 8 + 2 + 0.5)),  # long ago
        ([FIRST, Reign(2, day(23), day(20), 0.7, refused=ATTEMPTS)], day(25)),  # in vain
    ],
)
def test_no_level_is_lost(reigns: list[Reign], now: datetime) -> None:
    assert remembered.level(SPEC, reigns, now) is None


def test_what_came_of_trying_in_vain_is_said() -> None:
    tried = Reign(2, day(23), day(20), 0.7, refused=ATTEMPTS)
    told = remembered.given_up(SPEC, [FIRST, tried], day(25))
    assert str(told).startswith(
        "the level of version 1 (hinge loss 0.30) was not regained: the gates refused 2 candidates "
        "since version 2 (0.70) is champion"
    )
    assert remembered.given_up(SPEC, [FIRST, MAKESHIFT], day(25)) is None
    assert remembered.given_up(SPEC, [FIRST, tried], day(40)) is None


def test_what_is_to_be_learnt_began_with_the_change_that_a_makeshift_was_made_for() -> None:
    now = day(26)
    assert remembered.changes(SPEC, [FIRST], day(20), now) == (day(20),)
    assert remembered.changes(SPEC, [FIRST, MAKESHIFT], day(24), now) == (day(20), day(24))
    good = Reign(2, day(23), day(20), 0.35)
    assert remembered.changes(SPEC, [FIRST, good], day(24), now) == (day(24),)
    assert remembered.changes(SPEC, [FIRST, MAKESHIFT], None, now) == (day(20),)
    assert remembered.changes(SPEC, [FIRST], None, now) == ()


def test_two_earlier_champions_are_measured_beside_the_newest_but_no_makeshift() -> None:
    reigns = [FIRST, MAKESHIFT, Reign(3, day(26), day(20), 0.32), Reign(4, day(30), day(28), 0.4)]
    assert remembered.beside(SPEC, reigns, day(31)) == (3, 1)
    back = [*reigns, Reign(1, day(33), None, 0.3)]
    assert remembered.beside(SPEC, back, day(34)) == (4, 3)
    assert remembered.beside(SPEC, back, day(33 + 2 * 8 + 1)) == ()
    assert remembered.beside(SPEC, [], day(1)) == ()


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.booleans(), st.floats(0.05, 2) | st.none()), max_size=8
    ),
    st.integers(0, 20),
)
def test_whatever_was_champion_the_changes_are_two_moments_at_most_oldest_first(
    past: list[tuple[int, bool, float | None]], later: int
) -> None:
    reigns, moment = [FIRST], 5
    for version, (days, breached, loss) in enumerate(past, 2):
        moment += days
        breach = day(moment - 1) if breached else None
        reigns.append(Reign(version, day(moment), breach, loss))
    now = day(moment + later)
    found = remembered.changes(SPEC, reigns, day(moment + later), now)
    assert 1 <= len(found) <= 2
    assert list(found) == sorted(set(found))
    held = remembered.level(SPEC, reigns, now)
    losses = {r.version: r.loss for r in reigns}
    mine = reigns[-1].loss
    assert held is None or (mine is not None and (losses[held] or 0) < mine)
    assert reigns[-1].version not in remembered.beside(SPEC, reigns, now)

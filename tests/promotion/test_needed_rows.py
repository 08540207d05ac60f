"""How many rows of a canary show what matters to the owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.drift.latch import fold
from tasks.ledger.records import Candidate, Observation
from tasks.ledger.status import Status
from tasks.promotion.canary import said_by_pair
from tasks.promotion.needed_rows import needed, rows_needed
from tasks.promotion.paired import Pair
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.versions import candidate, seen

SPEC = ModelSpec.model_validate(CHURN)
EFFECT = SPEC.drift.hinge_loss.effect


def accepted(version: int, variance: float = 0.25, block: float = 1e6) -> Candidate:
    """Return a version whose hinge loss is 0.5 with this variance of a row's."""
    plain = candidate(version)
    squares = 1000 * (0.25 + variance)
    losses = {"rows": 1000, "weight": 1000.0, "hinge": 500.0, "squared_hinge": squares}
    spread = {**plain.reference["spread"], "rows": block}
    return replace(plain, reference={"spread": spread, "summary": {"losses": losses}})


NEW, OLD = accepted(2), accepted(1)


def window(version: int, loss: float, rows: float) -> Observation:
    found = seen(version, 5, loss)
    losses = {**found.figures["losses"], "effective_rows": rows}
    return replace(found, figures={**found.figures, "losses": losses})


def verdict(rows: float, share: float, rise: float) -> str:
    others = rows * (1 - share) / share
    pair = Pair(window(2, 0.5 + rise, rows), window(1, 0.5, others))
    return said_by_pair(SPEC, pair, NEW, OLD).verdict


@settings(deadline=None)  # the first example solves for the limit
@given(st.floats(0.02, 0.9))
def test_from_so_many_rows_on_the_comparison_shows_the_effect(share: float) -> None:
    rows = rows_needed(SPEC, share, NEW, OLD)
    assert rows is not None
    assert verdict(rows, share, EFFECT * 1.001) == "drifting"
    assert verdict(rows * 0.98 - 1, share, EFFECT * 1.001) == "steady"


def test_what_blocks_of_the_reference_cannot_show_no_number_of_rows_shows() -> None:
    few = accepted(2, block=20)
    assert rows_needed(SPEC, 0.1, few, OLD) is None
    assert "No number of rows shows a rise" in needed(known(), 0.1, few, OLD).told


def known(rows: int = 400, labelled: bool = True, **figures: Any) -> Status:
    observations = [
        replace(o, figures={**o.figures, "accepted": rows, "labelled": rows * labelled, **figures})
        for o in (seen(1, number, 0.5) for number in range(1, 6))
    ]
    nothing = fold("churn", [], [], SPEC.latch)
    return Status(SPEC, observations, [], [], [], [], nothing, nothing)


def test_a_share_that_leaves_too_few_rows_is_named_with_those_that_it_needs() -> None:
    rows = rows_needed(SPEC, 0.1, NEW, OLD)
    assert rows is not None
    short = needed(known(rows=10 * rows - 100), 0.1, NEW, OLD)
    assert f"and {rows:,} are needed to show a rise of the hinge loss by {EFFECT:g}" in str(
        short.too_small
    )
    assert short.shows is not None
    assert short.shows > EFFECT
    enough = needed(known(rows=10 * rows), 0.1, NEW, OLD)
    assert (enough.too_small, enough.shows) == (None, pytest.approx(EFFECT, rel=0.01))


def test_a_share_below_min_rows_would_never_count() -> None:
    none = needed(known(rows=10 * SPEC.window.min_rows - 10, labelled=False), 0.1, NEW, OLD)
    assert "window.min_rows; no window would count" in str(none.too_small)


def test_where_several_versions_serve_the_usual_rows_are_those_of_all() -> None:
    by = {"versions": {"1": 3_600, "2": 400}, "others": 0, "none": 0}
    assert needed(known(scored_by=by), 0.1, NEW, OLD).expected == pytest.approx(400)


def test_without_a_window_nothing_is_said_of_what_is_usual() -> None:
    found = needed(replace(known(), observations=[]), 0.1, NEW, OLD)
    assert (found.too_small, found.expected) == (None, None)
    assert found.told.startswith("A window shows a rise of the hinge loss by")

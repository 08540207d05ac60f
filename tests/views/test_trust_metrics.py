"""When a proposal has to be ended, and what is said of what nobody looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.views.metric_family import ALIAS_STATES, CHAIN_STATES
from tasks.views.trust_metrics import CheckStates, next_run
from tests.support.rows import day, proposal, registered
from tests.views.test_model_metrics import said


def test_what_nobody_looked_at_is_unseen_and_not_fine() -> None:
    states = {(one.metric, *one.labels): one.value for one in CheckStates().samples}
    assert states["gatelatch_chain_state", "unseen"] == 1
    assert states["gatelatch_champion_alias_state", "unseen"] == 1
    assert sum(states.values()) == 2


@pytest.mark.parametrize("chain", CHAIN_STATES)
@pytest.mark.parametrize("alias", ALIAS_STATES)
def test_each_state_is_said_alone(chain: Any, alias: Any) -> None:
    found = CheckStates(chain=chain, alias=alias).samples
    assert [one.labels for one in found if one.value] == [(chain,), (alias,)]
    assert len(found) == 6


def test_a_proposal_has_to_be_ended_by_the_first_run_after_its_time_is_up() -> None:
    both = [proposal("p2"), proposal("p3"), proposal("back", kind="rollback")]
    until = datetime(2026, 1, 13, 6, tzinfo=UTC)
    times = {"p2": until + timedelta(days=5), "p3": until}
    found = said(proposals=both, time_is_up=times)
    due = {key[1:]: value for key, value in found.items() if key[0].startswith("proposal_end")}
    assert due == {("retrain",): day(14).timestamp()}


def test_after_the_grids_end_no_run_comes(spec: Any) -> None:
    graced = spec(window={"grace": "2h"})
    noon = datetime(2026, 1, 13, 12, tzinfo=UTC)
    assert next_run(graced, noon) == day(14) + timedelta(hours=2)
    assert next_run(graced, day(14) + timedelta(hours=1)) == day(14) + timedelta(hours=2)
    assert next_run(graced, day(14) + timedelta(hours=2)) == day(15) + timedelta(hours=2)
    ended = spec(window={"end": "2026-01-03"})
    assert next_run(ended, noon) == noon
    assert next_run(ended, day(2)) == day(3)


def test_the_openings_of_a_year_stand_beside_what_is_allowed() -> None:
    found = said(candidates=[registered()])
    assert found["latch_openings", "drift", "closed"] == 0
    assert found["latch_openings_allowed", "drift"] == 1
    assert found["latch_openings_by_chance", "drift"] == 3
    assert found["latch_openings_allowed", "calibration"] == 0.5

"""A few cells of docs/reliability.md: a service dies while a window is measured.

`python -m ops.faults` plays all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ops.faults import faults
from ops.faults import team as services
from ops.faults.life import STAGES, Life
from ops.native import __main__ as native
from tests.e2e.landed import ACCEPTED, DAY

from .conftest import START_SECONDS, Team

MODEL, MONITOR = "returns", "monitor.returns"
MEASURE, JUDGE = STAGES[1], STAGES[2]


@pytest.fixture(scope="module")
def champion(team: Team) -> Iterator[None]:
    """Accept a first champion; leave services that are well again."""
    accept = ("python", "-m", "ops.faults.inside", "accept", ACCEPTED.isoformat(), "8", MODEL)
    assert "accepted" in team.says("worker-1", *accept)
    yield
    native.wait_until_up(team.home, START_SECONDS)


def seen(team: Team) -> dict[str, Any]:
    told = team.says("worker-1", "python", "-m", "ops.faults.inside", "seen", MODEL)
    found: dict[str, Any] = json.loads(told.splitlines()[-1])[MODEL]
    return found


@pytest.mark.parametrize(("fault", "day"), [("worker", 0), ("postgres", 1), ("api-server", 2)])
def test_a_window_is_observed_once_though_a_service_dies_while_it_is_measured(
    team: Team, champion: None, fault: str, day: int
) -> None:
    otto = team.people["otto"]
    life = Life(services.Team(team.home.parent, otto, team.people["bob"]), MODEL, {})
    window = ACCEPTED + day * DAY
    life.runs["monitor"] = otto.trigger(MONITOR, {"conf": {"window": window.isoformat()}})
    otto.until(lambda: life.reached(MEASURE), "the task measure", 300)
    assert life.held is not None
    faults.FAULTS[fault](team.home)
    life.go_on()
    otto.until(lambda: life.ended(JUDGE), "the end of the window", 300)
    assert otto.finished(MONITOR, life.runs["monitor"]) == "success"
    if fault == "worker":
        assert life.tries(MEASURE) == 2
    left = seen(team)
    assert left["fault"] is None
    starts = [row["window_start"][:10] for row in left["observations"]]
    assert starts == [f"{ACCEPTED + k * DAY:%Y-%m-%d}" for k in range(day + 1)]

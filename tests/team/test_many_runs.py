"""The schedule, backfills and runs by hand of one model at once end as runs one by one do."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.landed import ACCEPTED, DAY

from .conftest import Team
from .more_models import BY_SCHEDULE, ENDS

pytestmark = pytest.mark.timeout(1200)  # the first one starts all services

MODEL, RETRAIN = "daily", "retrain.daily"
FIRST, LAST = ACCEPTED - DAY, ENDS - DAY  # the first window is before the champion
WINDOWS = (LAST - ACCEPTED) // DAY + 1
# Prints of a model each window with what was said of it, the latch after each, and what is asked.
FOLDED = """
import json, sys
import sqlalchemy as sa
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import OBSERVATIONS as o
from tasks.spec import spec_files
ledger = Ledger.open()
known = status.read(spec_files.find(sys.argv[1]), ledger)
with ledger._engine.connect() as link:
    rows = link.scalar(sa.select(sa.func.count()).where(o.c.model == sys.argv[1]))
seen = [[x.window.name, x.version, x.verdict, x.pressure] for x in known.observations]
latches = [[latch.state, latch.episode] for _, latch in known.history.steps]
asked = [p.episode for p in known.proposals if p.episode]
print(json.dumps({"rows": rows, "seen": seen, "latches": latches, "asked": asked}))
"""


def _folded(team: Team, model: str) -> dict[str, Any]:
    said = team.says("worker-1", "python", "-c", FOLDED, model).replace(f"{model}.v", "MODEL.v")
    found: dict[str, Any] = json.loads(said)
    return found


def _accept(team: Team) -> None:
    """Train the first champion, as the administrator approves."""
    admin = team.people["admin"]
    conf = {"reason": "bootstrap", "training_window": "8d", "until": ACCEPTED.isoformat()}
    run = team.people["otto"].trigger(RETRAIN, {"conf": conf})
    (asked,) = admin.until(partial(admin.waiting, RETRAIN), "the question", 300)
    admin.answer(asked, "Approve", {"comment": "first"})
    assert admin.finished(RETRAIN, run, 300) == "success"


def _backfill(team: Team, **parts: Any) -> str:
    span = {"from_date": ACCEPTED.isoformat(), "to_date": LAST.isoformat(), "max_active_runs": 4}
    made = team.people["otto"].call(
        "POST", "backfills", json={"dag_id": BY_SCHEDULE, **span, **parts}
    )
    return f"backfills/{made['id']}"


def test_a_schedule_that_catches_up_backfills_and_runs_by_hand_at_once_end_as_one_by_one(
    team: Team,
) -> None:
    otto = team.people["otto"]
    script = Path(__file__).with_name("serially.py").read_text()
    with ThreadPoolExecutor(1) as beside:
        twin = beside.submit(
            *(team.says, "worker-2", "python", "-c", script),
            *("serial", ACCEPTED.isoformat(), ENDS.isoformat()),
        )
        _accept(team)
        twin.result()

    def done(backfill: str) -> bool:
        return bool(otto.call("GET", backfill)["completed_at"])

    def scheduled() -> bool:
        return len([r for r in otto.runs(BY_SCHEDULE) if r["run_type"] == "scheduled"]) >= 3

    otto.call("PATCH", f"dags/{BY_SCHEDULE}", json={"is_paused": False})
    otto.until(scheduled, "the schedule to begin", 120)
    # From the end on, over what the schedule has begun with: of those it makes no runs.
    first = _backfill(team, run_backwards=True)
    with pytest.raises(httpx.HTTPStatusError, match="409"):  # one at a time, as Airflow has it
        _backfill(team)
    by_hand = [
        otto.trigger(BY_SCHEDULE, {"conf": {"window": (ACCEPTED + n * DAY).isoformat()}})
        for n in (8, 7, 4, 1)
    ]
    otto.until(partial(done, first), "the first backfill", 600)
    began = Counter(run["run_type"] for run in otto.runs(BY_SCHEDULE))
    # Once more, beside what still runs: windows of the schedule, and more.
    again = (ACCEPTED + 4 * DAY).isoformat()
    second = _backfill(team, to_date=again, reprocess_behavior="completed")
    otto.until(partial(done, second), "the second backfill", 600)
    assert {otto.finished(BY_SCHEDULE, run, 600) for run in by_hand} == {"success"}
    runs = otto.runs(BY_SCHEDULE)
    assert {otto.finished(BY_SCHEDULE, r["dag_run_id"], 300) for r in runs} == {"success"}

    assert began.keys() >= {"scheduled", "backfill", "manual"}, began
    mine, twins = _folded(team, MODEL), _folded(team, "serial")
    assert (mine["rows"], twins["rows"]) == (WINDOWS, WINDOWS)  # once each
    assert [s[:3] for s in mine["seen"]] == [s[:3] for s in twins["seen"]]
    assert [s[3] for s in mine["seen"]] == pytest.approx([s[3] for s in twins["seen"]], rel=1e-9)
    assert mine["latches"] == twins["latches"]
    assert mine["latches"][-1][0] == "open"
    assert len(mine["asked"]) == 1, mine["asked"]
    team.says("worker-1", "python", "-m", "tasks", "audit", MODEL, "--verify")

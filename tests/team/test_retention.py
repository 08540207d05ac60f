"""Retention with the roles of the team set-up: the DAG removes files, the owner thins figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.landed import ACCEPTED, DAY

from .conftest import Team

pytestmark = pytest.mark.timeout(1200)  # the first one starts all services

EXPIRE = "gatelatch.expire"
UNTIL = ACCEPTED + 9 * DAY  # 72 windows of 3 h, of which the newest 64 are held back
# Prints what the ledger folds to, and of how many windows the figures were thinned.
STANDS = """
import json
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.thinning import EXPIRED
from tasks.spec import spec_files
known = status.read(spec_files.find("kept"), Ledger.open())
latches = [[latch.state, latch.episode] for _, latch in known.history.steps]
seen = [[o.verdict, o.pressure] for o in known.observations]
print(json.dumps([seen, latches, known.due, sum(EXPIRED in o.figures for o in known.observations)]))
"""


def _stands(team: Team) -> tuple[list[Any], int]:
    *folded, thinned = json.loads(team.says("worker-1", "python", "-c", STANDS))
    return folded, thinned


def _files(team: Team, kind: str) -> int:
    return sum(f.is_file() for f in (team.home / f"volumes/store/{kind}/kept").rglob("*"))


def _log(team: Team, run: str) -> str:
    path = f"dags/{EXPIRE}/dagRuns/{run}/taskInstances/expire/logs/1"
    return json.dumps(team.people["otto"].call("GET", path))


def test_the_dag_removes_files_and_leaves_figures_which_the_owner_thins_and_the_chain_is_whole(
    team: Team,
) -> None:
    script = Path(__file__).with_name("serially.py").read_text()
    span = (ACCEPTED.isoformat(), UNTIL.isoformat())
    team.says("worker-1", "python", "-c", script, "kept", *span)
    before = _stands(team)
    assert (len(before[0][0]), before[1]) == (72, 0)
    quarantined = _files(team, "quarantine")
    assert (quarantined > 10, _files(team, "summaries")) == (True, 72)

    otto = team.people["otto"]
    run = otto.trigger(EXPIRE, {})
    assert otto.finished(EXPIRE, run, 300) == "success"
    told = _log(team, run)
    assert "8 files of summaries up to 2026-01-10 removed (retention.summaries: 1d)" in told
    assert "figures up to 2026-01-10 are kept (retention.figures: 1d)" in told
    assert "let the role that owns the ledger's tables run" in told
    assert _files(team, "summaries") == 64
    assert 10 < _files(team, "quarantine") < quarantined
    assert _stands(team) == before

    # The crontab of docs/retention.md, with which compose runs a program in another `init`.
    said = team.says("init", "python", "-m", "tasks", "expire", "--all", "--by", "cron")
    assert "8 windows' figures up to 2026-01-10 thinned (retention.figures: 1d)" in said
    assert _stands(team) == (before[0], 8)
    audited = team.says("worker-1", "python", "-m", "tasks", "audit", "kept", "--verify", "--wide")
    assert "figures of windows thinned up to 2026-01-10: 8" in audited
    assert "cron" in audited

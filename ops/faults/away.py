"""A question whose time runs out while no scheduler is there ends once, as without the fault."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime

from ops.faults import faults
from ops.faults.ends import differences
from ops.faults.life import STAGES, Life
from ops.faults.matrix import Cell
from ops.faults.team import Team

NAME, MODELS = "scheduler away", ("late_0", "late_1")
TIMEOUT = 60.0  # seconds, as the specs of these models have it
OWN = {"approval": {**dict.fromkeys(("retrain", "promote", "rollback"), "human"), "timeout": "1m"}}
_PROPOSED, _ASKED = STAGES[3], STAGES[4]


def play(team: Team) -> Cell:
    """Let a question of each model run out, of the second one while no scheduler is there."""
    lives = [Life(team, model, {}) for model in MODELS]
    wait_for(lives[0])
    _ends(lives[0])
    wait_for(lives[1])
    run = team.home / "run"
    faults.send(run, "scheduler", signal.SIGSTOP)
    time.sleep(TIMEOUT + 15)
    faults.kill(run, "scheduler")
    again = datetime.now(UTC)
    _ends(lives[1])
    seconds = (datetime.now(UTC) - again).total_seconds()
    wrong = differences(team, list(MODELS)).get(MODELS[1], "")
    return Cell(NAME, "approve_retrain", seconds, MODELS[1], wrong=wrong)


def wait_for(life: Life) -> None:
    """Wait until a person is asked whether to retrain."""
    life.team.operator.until(lambda: life.ended(_PROPOSED), "the monitor", 300)
    life.team.operator.until(lambda: life.reached(_ASKED), "the question", 300)


def _ends(life: Life) -> None:
    dag = f"{_ASKED.flow}.{life.model}"
    life.team.operator.finished(dag, life.runs[_ASKED.flow], 400)

"""A question whose time runs out while no scheduler is there ends once, as without the fault."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from functools import partial

from ops.faults import faults
from ops.faults.ends import differences
from ops.faults.life import STAGES, Life
from ops.faults.matrix import Cell
from ops.faults.waves import Waves

NAME, MODELS = "scheduler-away", ("late_0", "late_1")
TIMEOUT = 60.0  # seconds, as the specs of these models have it
ELSEWHERE = "only a question can run out; this one asks whether to retrain"
OWN = {"approval": {**dict.fromkeys(("retrain", "promote", "rollback"), "human"), "timeout": "1m"}}
_PROPOSED, _ASKED = STAGES[3], STAGES[4]


def play(waves: Waves, lives: list[Life]) -> Cell:
    """Let a question of each model run out, of the second one while no scheduler is there."""
    first, second = lives
    _wait(waves, first)
    _end(waves, first)
    _wait(waves, second)
    run = waves.team.home / "run"
    faults.send(run, "scheduler", signal.SIGSTOP)
    time.sleep(TIMEOUT + 15)
    faults.kill(run, "scheduler")
    again = datetime.now(UTC)
    _end(waves, second)
    seconds = (datetime.now(UTC) - again).total_seconds()
    wrong = differences(waves.team, list(MODELS)).get(MODELS[1], "")
    return Cell(NAME, _ASKED.task, seconds, MODELS[1], wrong=wrong)


def _wait(waves: Waves, life: Life) -> None:
    """Wait until a person is asked whether to retrain."""
    waves.need({life.model: partial(life.ended, _PROPOSED)})
    waves.need({life.model: partial(life.stands_at, _ASKED)})


def _end(waves: Waves, life: Life) -> None:
    def over() -> bool:
        run = life.run(_ASKED.flow)
        return run is not None and run.ended is not None

    waves.need({life.model: over})

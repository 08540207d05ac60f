"""What the monitor's last step hands to the one that starts a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.flows.next_action import NextAction, RunToStart

RUN = RunToStart(flow="rollback", proposal="churn.v2.r.1", conf={"reason": "worse"})
# As release 0.1 laid them out: a run that was started under it may still wait.
OF_0_1: list[tuple[NextAction, dict[str, Any]]] = [
    (
        NextAction(run=RUN),
        {"flow": "rollback", "proposal": "churn.v2.r.1", "conf": {"reason": "worse"}},
    ),
    (NextAction(silence="nobody"), {"silence": "nobody"}),
    (NextAction(waits="too early"), {"waits": "too early"}),
]


@pytest.mark.parametrize(("action", "raw"), OF_0_1)
def test_an_action_travels_as_release_0_1_laid_it_out(
    action: NextAction, raw: dict[str, Any]
) -> None:
    assert action.to_json() == raw
    assert NextAction.from_json(json.loads(json.dumps(raw))) == action

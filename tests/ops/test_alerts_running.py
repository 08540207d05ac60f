"""A real Prometheus scrapes a real process of metrics, over a ledger that drifts, and alerts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger.ledger import Ledger
from tests.ops.test_alerts import RULES
from tests.support.forging import ask, forge, version
from tests.support.prometheus import Prometheus, awaited, watching
from tests.support.rows import decision, observation, promote, proposal
from tests.views.test_exposition import models as models
from tests.views.test_slow_checks import FORGED

EPISODE = "churn.v1.20260102T0000.1"
FIGURES = {"moved": {"total": 1.0, "features": {"x": 0.9, "z": 0.1}, "rest": 0.0}}

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def running(ledger: Ledger, models: Path, tmp_path: Path) -> Iterator[Prometheus]:
    """Return a Prometheus with the example's configuration, which looks every second."""
    promote(ledger, 1, None, since=1)
    with watching(tmp_path) as one:
        yield one


def test_drift_alerts_once_however_many_windows_come_and_a_question_alerts_its_approvers(
    ledger: Ledger, running: Prometheus
) -> None:
    ledger.observe(observation(2, verdict="drifting", pressure=2.0, figures=FIGURES))
    ledger.observe(observation(3, verdict="drifting", pressure=2.0))
    (drifting,) = awaited(lambda: running.alerts("GatelatchDrifting"), "the drift")
    identity = {"model": "churn", "version": "1", "latch": "drift", "feature": "x"}
    assert drifting["labels"] == {
        "alertname": "GatelatchDrifting",
        "severity": "ticket",
        **identity,
    }
    airflow = "http://127.0.0.1:8080"
    assert drifting["annotations"]["margins_url"] == f"{airflow}/gatelatch/margins/churn"

    ledger.observe(observation(4, verdict="insufficient", pressure=None))
    ledger.observe(observation(5, verdict="insufficient", pressure=None))
    (unsaid,) = awaited(lambda: running.alerts("GatelatchInsufficientTwice"), "windows unsaid")
    assert unsaid["annotations"]["summary"].startswith(
        "Nothing can be said of the newest 2 windows"
    )
    (still,) = running.alerts("GatelatchDrifting")
    assert still == drifting

    ledger.propose(proposal(EPISODE, episode="churn.v1.20260102T0000"))
    awaited(lambda: running.alerts("GatelatchRetrainUnderWay"), "the proposal")
    ask(ledger, EPISODE, "retrain")
    (asked,) = awaited(lambda: running.alerts("GatelatchApprovalWaiting"), "the question")
    assert (asked["labels"]["kind"], asked["labels"]["step"]) == ("retrain", "retrain")
    assert not running.alerts("GatelatchApprovalOverdue")

    ledger.decide(decision("rejected", proposal=EPISODE))
    awaited(lambda: not running.alerts("GatelatchRetrainUnderWay"), "the answer")

    (group,) = running.asked("rules")["groups"]
    assert len(group["rules"]) == len(RULES)
    assert not [rule for rule in group["rules"] if rule["health"] != "ok"]


def test_a_forged_row_and_a_latch_that_opens_for_nothing_alert(
    ledger: Ledger, models: Path, tmp_path: Path
) -> None:
    version(ledger, 1)
    pressures = [*4 * (2.0, 2.0, 0.1, 0.1, 0.1)]
    for number, pressure in enumerate(pressures, 9):
        verdict = "drifting" if pressure > 1 else "steady"
        ledger.observe(observation(number, verdict=verdict, pressure=pressure))
    with watching(tmp_path, "--check-every", "1") as one:
        (often,) = awaited(lambda: one.alerts("GatelatchAlarmBudgetExceeded"), "four openings")
        assert (often["labels"]["latch"], often["value"]) == ("drift", "4e+00")
        intact = 'gatelatch_chain_state{state="intact"} == 1'
        awaited(lambda: one.asked("query", query=intact)["result"], "the chain")
        assert not one.alerts("GatelatchChainBroken")
        forge(ledger, "decisions", **FORGED)
        (broken,) = awaited(lambda: one.alerts("GatelatchChainBroken"), "the forged row")
        assert broken["labels"]["model"] == "churn"

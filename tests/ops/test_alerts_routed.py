"""A real Alertmanager with the example's configuration: what is held back, and what is one message.

It waits a minute before it tells anybody, so these tests send nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ops.test_alerts import ALERTMANAGER
from tests.support.prometheus import alertmanager, awaited, tool_says

Labels = dict[str, str]
RETRAIN: Labels = {"alertname": "GatelatchRetrainUnderWay", "severity": "none", "model": "churn"}
BURNING: Labels = {
    "alertname": "GatelatchBudgetBurning",
    "severity": "page",
    "model": "churn",
    "version": "1",
    "feature": "x",
}
SPENT: Labels = {**BURNING, "alertname": "GatelatchBudgetSpent", "severity": "ticket"}
DRIFTING: Labels = {**SPENT, "alertname": "GatelatchDrifting", "latch": "drift"}
LATE: Labels = {"alertname": "GatelatchWindowOverdue", "severity": "ticket", "model": "churn"}
BLIND: Labels = {"alertname": "GatelatchBlind", "severity": "page"}
MODEL_BLIND: Labels = {"alertname": "GatelatchModelBlind", "severity": "page", "model": "churn"}
WAITING: Labels = {
    "alertname": "GatelatchApprovalWaiting",
    "severity": "ticket",
    "model": "churn",
    "kind": "retrain",
    "step": "promote",
}
OVERDUE: Labels = {**WAITING, "alertname": "GatelatchApprovalOverdue", "severity": "page"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with alertmanager(tmp_path, ALERTMANAGER) as one:
        yield one


def send(url: str, *alerts: Labels) -> None:
    now = datetime.now(UTC)
    times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    body = [{"labels": labels, **times} for labels in alerts]
    httpx.post(f"{url}/api/v2/alerts", json=body, timeout=30).raise_for_status()


def known(url: str, place: str = "alerts") -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/api/v2/{place}", timeout=30).raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def holds_back(url: str, held: list[Labels], *others: Labels) -> None:
    """Send alerts, and wait until exactly those are held back that are to be."""
    send(url, *held, *others)

    def as_expected() -> bool:
        states = [(one["status"]["state"], one["labels"]) for one in known(url)]
        suppressed = [labels for state, labels in states if state == "suppressed"]
        active = [labels for state, labels in states if state == "active"]
        return _same(suppressed, held) and _same(active, others)

    awaited(as_expected, "what is held back and what is not", seconds=20)


def _same(some: Iterable[Labels], others: Iterable[Labels]) -> bool:
    def texts(alerts: Iterable[Labels]) -> list[str]:
        return sorted(str(sorted(labels.items())) for labels in alerts)

    return texts(some) == texts(others)


def test_a_retrain_holds_back_the_spent_budget_of_its_own_model_and_no_page(url: str) -> None:
    other = {**SPENT, "model": "other"}
    burning = {**BURNING, "version": "2"}
    holds_back(url, [SPENT], RETRAIN, other, burning, LATE, OVERDUE, DRIFTING)


def test_the_graver_alert_holds_back_the_lesser_one_of_the_same_thing(url: str) -> None:
    elsewhere = {**WAITING, "step": "retrain"}
    page = {**LATE, "severity": "page"}
    holds_back(url, [SPENT, WAITING, LATE], BURNING, OVERDUE, elsewhere, page)


def test_who_is_blind_holds_back_all_but_that(url: str) -> None:
    ticket = {**BLIND, "severity": "ticket"}
    holds_back(url, [BURNING, LATE, WAITING, MODEL_BLIND, ticket], BLIND)


def test_who_is_blind_for_one_model_holds_back_what_is_of_that_model(url: str) -> None:
    other = {**BURNING, "model": "other"}
    mistakes = {"alertname": "GatelatchSpecMistakes", "severity": "ticket"}
    chain = {"alertname": "GatelatchChainBroken", "severity": "page", "model": "churn"}
    holds_back(url, [BURNING], MODEL_BLIND, other, mistakes, chain)


def test_three_models_that_one_feature_moved_are_one_message(url: str) -> None:
    same = [{**DRIFTING, "model": model} for model in ("a", "b", "c")]
    send(url, *same, {**DRIFTING, "feature": "z"})

    def grouped() -> list[dict[str, Any]]:
        groups = known(url, "alerts/groups")
        return groups if sum(len(one["alerts"]) for one in groups) == 4 else []

    groups = awaited(grouped, "the groups")
    sizes = {
        (one["receiver"]["name"], one["labels"]["feature"]): len(one["alerts"]) for one in groups
    }
    assert sizes == {("tickets", "x"): 3, ("tickets", "z"): 1}


def test_the_silence_of_the_runbooks_hides_one_alert_of_one_model(url: str) -> None:
    code, said = tool_says(
        "amtool",
        *("silence", "add", f"--alertmanager.url={url}", "--author=ada", "--duration=2d"),
        *("--comment=the source is repaired on Friday",),
        *("alertname=GatelatchDrifting", "model=churn"),
    )
    assert code == 0, said
    holds_back(url, [DRIFTING], {**DRIFTING, "model": "other"}, BURNING)

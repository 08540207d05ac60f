"""What goes out to a real webhook: each event once, whatever the channel does."""

from __future__ import annotations

from tests.support.asked import AIRFLOW, Asked
from tests.support.sink import Sink


def test_who_is_asked_is_told_by_whom_until_when_and_where_to_answer(
    asked: Asked, webhook: Sink
) -> None:
    asked.ask("a proposal/by hand")
    asked.look()
    (message,) = webhook.got
    assert message["title"] == "[ticket] churn: you are asked to retrain"
    assert message["type"] == "warning"
    *_, who, where = message["message"].splitlines()
    assert who.startswith("Who may answer: ada, grace. Until 20")
    assert where == f"{AIRFLOW}/dags/retrain.churn/runs/a%20proposal%2Fby%20hand/required_actions"


def test_an_event_is_told_once_however_often_somebody_looks(asked: Asked, webhook: Sink) -> None:
    asked.ask()
    assert asked.look().told == ["churn: 1 told to channel owners"]
    for _ in range(3):
        assert asked.look().told == []
    assert len(webhook.got) == 1

"""The flow as people hear of it: what each of its questions and ends says in a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.flows import asking
from tasks.ledger.ledger import Ledger
from tasks.notices.channels import Channels
from tasks.notices.sender import send_due
from tasks.promotion import decisions
from tasks.spec.model import ModelSpec
from tests.support.flow import (
    FIRST,
    MARKER,
    MODEL,
    OUTLIER,
    STRANGE,
    At,
    answer,
    beginning,
    land,
    promote,
    propose,
    register,
    rows,
    watch,
)
from tests.support.sink import Sink, sink

NOTIFIED = ModelSpec.model_validate({**MODEL.model_dump(mode="json"), "notify": {"owners": "info"}})


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def look(webhook: Sink) -> str:
    """Return the messages of one look, after a backfill would be over."""
    webhook.got.clear()
    now = datetime.now(UTC) + timedelta(minutes=11)
    done = send_due([NOTIFIED], Channels({"owners": webhook.url}), now, "https://airflow.example")
    assert done.failed == []
    return "\n\n".join(f"{one['title']}\n{one['message']}" for one in webhook.got)


def test_a_flow_is_told_step_by_step_with_the_first_lines_of_its_briefs(at: At) -> None:
    at("drifted")
    assert NOTIFIED.digest == MODEL.digest  # a channel may be set up while a question waits
    with sink() as webhook:
        propose()
        first = look(webhook)
        assert first.startswith("[ticket] churn: you are asked to retrain, and 1 more\n")
        assert "churn: the margins drift (version 1)" in first
        assert "the probabilities" not in first  # a retrain learns them anew anyway
        assert "The margins of churn version 1 have drifted since 2026-01-09: 2 of the" in first
        assert f"/dags/retrain.churn/runs/{FIRST}/required_actions" in first
        register(FIRST)
        assert look(webhook) == ""  # trained, and nobody is asked yet
        asking.to_promote(MODEL, FIRST, "/dags/here")
        second = look(webhook)
        assert second.startswith("[ticket] churn: you are asked to promote a candidate")
        assert "No gate of version 2 failed" in second
        promote(FIRST)
        third = look(webhook)
        assert third.startswith("[info] churn: promoted to version 2\nBy ada in place of version 1")
        assert look(webhook) == ""


def test_nobody_who_answers_is_told_as_an_end(at: At) -> None:
    at("drifted")
    with sink() as webhook:
        propose()
        look(webhook)
        decisions.decide(MODEL, FIRST, "retrain", answer(None, "Reject"))
        assert look(webhook).startswith("[ticket] churn: nobody answered whether to retrain")


def test_no_row_reaches_a_message(at: At) -> None:
    at("bootstrapped")
    for number in (9, 10, 11):
        odd = rows(number)
        odd["x"][:10], odd["y"][10:15] = OUTLIER, STRANGE
        land(number, x=odd["x"], y=odd["y"])
        watch(number)
    propose()
    with sink() as webhook:
        text = look(webhook)
    assert "you are asked to retrain" in text
    for secret in (MARKER, str(OUTLIER), str(STRANGE)):
        assert secret not in text
    assert Ledger.open().when_recorded("churn").attempts

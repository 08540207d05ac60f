"""What was not told, as metrics and the margin view say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.ledger import status
from tasks.views.board import Board
from tasks.views.model_metrics import SeenModel, model_samples
from tasks.views.model_page import model_page
from tests.support.asked import Asked
from tests.support.sink import Sink


def test_what_a_channel_was_not_told_is_counted_until_it_is(asked: Asked, webhook: Sink) -> None:
    def counted() -> dict[tuple[str, ...], float]:
        known = status.read(asked.spec, asked.ledger)
        recorded = asked.ledger.when_recorded("churn")
        samples = model_samples(SeenModel(status=known, asked_at={}, recorded=recorded))
        return {(s.metric, *s.labels): s.value for s in samples if "_notices_" in s.metric}

    pending, failed = (f"gatelatch_notices_{what}" for what in ("pending", "failed"))
    asked.look()
    assert counted() == {(pending, "owners"): 0, (failed, "owners"): 0}
    asked.ask()
    assert counted()[pending, "owners"] == 1
    webhook.answer = 500
    for minutes in (0, 1, 5, 25, 120, 600):
        assert counted() == {(pending, "owners"): 1, (failed, "owners"): 0}
        asked.look(datetime.now(UTC) + timedelta(minutes=minutes))
    assert counted() == {(pending, "owners"): 0, (failed, "owners"): 1}
    webhook.answer = 200
    asked.look(datetime.now(UTC) + timedelta(minutes=600), again=True)
    assert counted() == {(pending, "owners"): 0, (failed, "owners"): 0}


def test_the_margin_view_says_who_is_told_and_what_was_not_told(
    asked: Asked, webhook: Sink
) -> None:
    def page() -> str:
        board = Board(lambda: asked.ledger)
        known, now = board.status(asked.spec), datetime.now(UTC)
        stands = board.standing_of(known)
        said: dict[str, Any] = {"times": board.recorded(known), "missed": board.missed(known, now)}
        return model_page(known, stands, now, base="/gatelatch", **said)

    assert "<dt>Told</dt><dd>owners (everything)</dd>" in page()
    webhook.answer = 500
    asked.ask()
    asked.look()
    assert "Channel owners: 1 not told yet: it answered 500" in page()
    webhook.answer = 200
    asked.look(datetime.now(UTC) + timedelta(minutes=1))
    assert "Channel owners" not in page()
    asked.write_spec()
    assert (
        "<dt>Told</dt><dd>nobody<small>the spec names no channel under notify</small></dd>"
        in page()
    )

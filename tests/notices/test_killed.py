"""A process that sends and is killed, at each of its steps: what is told after the next look."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.asked import Asked
from tests.support.killed_sender import Looks
from tests.support.sink import Sink

SUBJECTS = ("you are asked to retrain", "two windows in a row")


def _told(webhook: Sink) -> Counter[str]:
    """Return how often each event was told."""
    return Counter(s for one in webhook.got for s in SUBJECTS if s in str(one))


@pytest.fixture
def looks() -> Looks:
    return Looks()


def test_whatever_step_it_dies_at_each_event_is_told_once_but_in_the_window_that_is_stated(
    asked: Asked, webhook: Sink, looks: Looks
) -> None:
    asked.ask()
    asked.observe(None, None)
    asked.ledger.close()
    before = {path: path.read_bytes() for path in asked.folder.glob("ledger.db*")}
    now = datetime.now(UTC)
    steps = looks.play(now)
    assert _told(webhook) == dict.fromkeys(SUBJECTS, 1)
    assert [step for step in steps if step.startswith("commit")] == [
        *["commit notices"] * 3,  # since when the channel hears of it, and two claims
        *["commit deliveries"] * 2,
    ]
    assert "http.client.send" in steps
    later = now + timedelta(minutes=11)
    for number, step in enumerate(steps):
        _put_back(asked.folder, before)
        webhook.got.clear()
        assert looks.play(now, kill=number)[-1] == step
        sent = len(webhook.got)
        looks.play(now)  # at once: what was claimed is left alone
        assert len(webhook.got) <= 1, step
        looks.play(later)
        assert set(_told(webhook)) == set(SUBJECTS), step
        first = steps.index("commit deliveries")
        if number < first:
            assert _told(webhook) == dict.fromkeys(SUBJECTS, 1), step
        else:  # sent, and not recorded: the stated window
            assert sent == 1
            assert max(_told(webhook).values()) == 2
        looks.play(later + timedelta(days=1))
        assert sum(_told(webhook).values()) <= 4, step


def _put_back(folder: Path, before: dict[Path, bytes]) -> None:
    for path in folder.glob("ledger.db*"):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    shutil.rmtree(folder / "store", ignore_errors=True)

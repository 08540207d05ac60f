"""What is sent to people is an anchor: it shows a ledger that was cut off or written again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.audit import heads
from tasks.ledger.ledger import Ledger
from tests.support import forging
from tests.support.asked import Asked
from tests.support.sink import Sink
from tests.support.terminal import run


def _told(webhook: Sink) -> tuple[int, str]:
    """Return the link and the digest in the last line of the newest message."""
    said = webhook.got[-1]["message"].splitlines()[-1]
    assert said.startswith("Ledger up to link ")
    position, digest = said.removeprefix("Ledger up to link ").split(": ")
    return int(position), digest


def _put_back(folder: Path, asked: Asked) -> None:
    """Put an older ledger in the place of the newer one, and forget the store's head."""
    asked.ledger._engine.dispose()
    for name in ("ledger.db", "store"):
        there = folder / name
        if there.is_dir():
            shutil.rmtree(there)
            shutil.copytree(folder / "older" / name, there)
        else:
            shutil.copy(folder / "older" / name, there)


@pytest.fixture
def cut(stores: Path, asked: Asked, webhook: Sink) -> str:
    """Tell people of a question, take it out of the ledger and the store; return the head told."""
    heads.keep("churn", asked.ledger)
    asked.ledger._engine.dispose()
    (stores / "older").mkdir()
    shutil.copy(stores / "ledger.db", stores / "older")
    shutil.copytree(stores / "store", stores / "older" / "store")
    asked.ask()
    heads.keep("churn", asked.ledger)
    asked.look()
    position, digest = _told(webhook)
    assert asked.ledger.trail("churn").links[position - 1].digest == digest
    assert run("audit", "churn", "--head", digest).exit_code == 0
    _put_back(stores, asked)
    return digest


def test_a_message_shows_that_an_older_ledger_was_put_back_together_with_the_store(
    cut: str,
) -> None:
    found = run("audit", "churn", "--head", cut)
    assert found.exit_code == 1
    assert f"the head {cut[:12]}… kept by you is not in the chain" in found.output


def test_a_message_shows_what_was_written_again_even_with_the_workers_key(cut: str) -> None:
    forging.ask(Ledger.open(), "p1", "promote")  # signed as an honest row is
    assert run("audit", "churn").exit_code == 0
    found = run("audit", "churn", "--head", cut)
    assert found.exit_code == 1
    assert "rows up to it were removed, or written again" in found.output


def test_who_is_told_of_several_things_gets_one_head(asked: Asked, webhook: Sink) -> None:
    asked.ask()
    asked.observe(1.5, 1.5)
    asked.look()
    (message,) = webhook.got
    assert message["message"].count("Ledger up to link") == 1

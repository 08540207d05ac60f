"""A model whose champion is asked about, and a webhook that is told, each of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asked import Asked, asked_in
from tests.support.sink import Sink, sink


@pytest.fixture
def webhook() -> Iterator[Sink]:
    with sink() as here:
        yield here


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook: Sink) -> Asked:
    """Return a place in which churn's owners are told of everything by the webhook."""
    return asked_in(tmp_path, monkeypatch, {"owners": webhook.url}, {"owners": "info"})

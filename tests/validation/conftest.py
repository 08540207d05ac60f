"""Windows that are checked in the smallest parts there can be."""

from __future__ import annotations

import pytest

from tasks.validation import checked_window


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge each batch by itself instead of joining small ones."""
    monkeypatch.setattr(checked_window, "CHUNK_ROWS", 1)

"""The command line as a person calls it, and a spec that it reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from typer.testing import CliRunner, Result

from tasks.__main__ import app

CHURN: dict[str, Any] = {
    "model": "churn",
    "owner": {"name": "team", "approvers": ["ada"]},
    "source": {"path": "unused", "time": "time", "key": "id"},
    "window": {"every": "1d", "start": "2026-01-01"},
    "features": {"numeric": ["x"]},
    "label": {"column": "y", "classes": [0, 1]},
    "training": {"window": "5d"},
}


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=typed)

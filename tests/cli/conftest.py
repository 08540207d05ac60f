"""A folder of models, and a ledger that tells of one, for the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.ledger.ledger import Ledger
from tests.support.rows import observation, proposal
from tests.support.terminal import CHURN, day


@pytest.fixture
def models(stores: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATELATCH_MODELS", str(stores))
    monkeypatch.setenv("COLUMNS", "200")
    (stores / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    return stores


@pytest.fixture
def told(models: Path) -> Ledger:
    """Return the ledger with a champion, a steady, a drifting and a broken window, a proposal."""
    ledger = Ledger.open()
    move: dict[str, Any] = {"version": 1, "expected": None, "by": "ada", "reason": "bootstrap"}
    ledger.promote("churn", "boot", effective_from=day(1), **move)
    verdicts = [("steady", 0.25), ("drifting", 1.5), ("insufficient", None)]
    for number, (verdict, pressure) in enumerate(verdicts, 1):
        figures = {"accuracy": 0.875} if number == 1 else {}
        said: dict[str, Any] = {"verdict": verdict, "reason": f"why {verdict}"}
        ledger.observe(observation(number, **said, pressure=pressure, figures=figures))
    ledger.propose(proposal("churn.v1.20260102T0000.1", trained_until=day(4)))
    return ledger

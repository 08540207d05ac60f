"""A folder of models, and a ledger that tells of one, for the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation, Proposal
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
        seen = Observation(
            model="churn",
            version=1,
            window_start=day(number),
            window_end=day(number + 1),
            spec_digest="spec",
            data_digest="data",
            verdict=verdict,
            reason=f"why {verdict}",
            pressure=pressure,
            figures=figures,
        )
        ledger.observe(seen)
    name = "churn.v1.20260102T0000.1"
    asked = Proposal(
        model="churn",
        proposal=name,
        kind="retrain",
        reason="drift",
        episode=None,
        champion=1,
        trained_from=day(1),
        trained_until=day(4),
        proposer="otto",
        spec_digest="spec",
    )
    ledger.propose(asked)
    return ledger

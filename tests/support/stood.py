"""A ledger with windows of a known story, for the pages: steady, then drifting, gaps in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tasks.drift.statistic import Statistic
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Observation
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec
from tests.support import forging
from tests.support.again import write_again
from tests.support.rows import observation

FIRST = datetime(2026, 1, 9, tzinfo=UTC)  # from when on forging's first version is champion
MakeSpec = Callable[..., ModelSpec]


def at(number: int) -> datetime:
    """Return the start of the window of that number, counted from 0 on."""
    return FIRST + timedelta(days=number)


def statistic(name: str = "ks", pressure: float = 0.5, **parts: Any) -> dict[str, Any]:
    """Return a statistic as the ledger holds it."""
    return {**Statistic(name, pressure * 0.1, 0.1, 0.05).to_json(), **parts}


def seen(number: int, pressure: float | None = 0.5, **parts: Any) -> Observation:
    """Return a window: `insufficient` without a pressure, and `drifting` with one above 1."""
    verdict = "insufficient" if pressure is None else "drifting" if pressure > 1 else "steady"
    figures: dict[str, Any] = {"accepted": 90, "quarantined": 10, "rows": 100, "labelled": 90}
    if pressure is not None:
        loss = statistic("hinge_loss", pressure, reference=0.3)
        figures |= {
            "statistics": [statistic("ks", pressure / 2), loss],
            "hinge_loss": 0.3 + pressure * 0.1,
            "accuracy": 0.9,
            "violation_rate": 0.4,
        }
    figures |= parts.pop("figures", {})
    plain: dict[str, Any] = {
        "window_start": at(number),
        "window_end": at(number + 1),
        "verdict": verdict,
        "reason": "3 rows, fewer than window.min_rows = 50" if pressure is None else "said",
        "pressure": pressure,
        "figures": figures,
    }
    return observation(**plain | parts)


def ledger_in(folder: Path) -> Ledger:
    """Return an empty ledger in a folder."""
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    write_again(ledger, Ledger.create)
    return ledger


def known(spec: ModelSpec, ledger: Ledger, *windows: Observation, champion: bool = True) -> Status:
    """Return the status after these windows under a first champion."""
    if champion:
        forging.version(ledger, 1, spec.model)
    for one in windows:
        ledger.observe(one)
    return status.read(spec, ledger)

"""The models of single tests here, which nobody but administrators and operators may see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.e2e import traced
from tests.e2e.landed import ACCEPTED, DAY, START, WINDOW

BY_SCHEDULE = "monitor.daily"  # stays paused until its test has a champion for it
ENDS = START + 17 * DAY  # of daily and its twin: the labels turn round three days before
_GRID = {**WINDOW, "start": (ACCEPTED - DAY).date(), "end": ENDS.date()}
_KEPT = {
    "window": {**WINDOW, "every": "3h", "min_rows": 20},
    # Of its rows a few are put aside in every second window.
    "expectations": [
        {"type": "expect_column_values_to_be_between", "column": "x", "max_value": 2.0}
    ],
    "retention": dict.fromkeys(("figures", "quarantine", "summaries"), "1d"),
}


def write(home: Path) -> None:
    """Write their specs, and the rows of the one whose rows may leave no trace."""
    traced.land(home / "data")
    _write(home, "daily", retrain="human", window={**_GRID, "catchup": True})
    _write(home, "serial", window=_GRID)
    _write(home, "kept", **_KEPT)
    _write(home, "traced", **traced.over_rows_of("data/traced"))


def _write(home: Path, name: str, retrain: str = "automatic", **parts: Any) -> None:
    spec = {
        "model": name,
        "owner": {"name": "team", "approvers": ["1:admin"]},
        "source": {"path": "data/landing/date={date}/*.parquet", "time": "time", "key": "id"},
        "features": {"numeric": ["x", "z"]},
        "label": {"column": "y", "classes": [0, 1]},
        "drift": {"ks": {"effect": 0.2}, "hinge_loss": {"effect": 0.2}},
        "latch": {"rest": "1d"},
        "training": {"window": "2d"},
        "approval": {"retrain": retrain, "promote": "automatic", "rollback": "automatic"},
        **parts,
    }
    (home / "models" / f"{name}.yaml").write_text(yaml.safe_dump(spec))

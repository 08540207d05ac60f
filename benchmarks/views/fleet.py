"""A ledger of many models and windows, written in bulk: what the pages read, with no signature."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
import yaml

from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import CANDIDATES, CHAIN, OBSERVATIONS, PROMOTIONS, PROPOSALS

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OWNERS = ("payments", "search", "market-desk", "support")
FEATURES = [f"feature_{i}" for i in range(6)]
_SHAPES = ("ks", "wasserstein", "margin_density", "ks_labelled", "violation_rate", "constant")
_OF_CLASS = ("class_loss", "class_recall", "class_margin")


def write(folder: Path, models: Iterable[int], windows: int) -> Ledger:
    """Write the specs and the ledger of the models of these numbers, and return the ledger."""
    (folder / "models").mkdir(parents=True)
    ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
    ledger.create()
    for place, number in enumerate(models):
        name = f"model_{number:03}"
        owner = OWNERS[number % len(OWNERS)]
        text = yaml.safe_dump(_spec(name, owner, windows))
        (folder / "models" / f"{name}.yaml").write_text(text)
        observed = list(_observations(name, number, windows))
        with ledger._engine.begin() as link:
            for table, of in (
                (PROPOSALS, _proposal),
                (CANDIDATES, _candidate),
                (PROMOTIONS, _promotion),
            ):
                link.execute(sa.insert(table), [of(name)])
            link.execute(sa.insert(OBSERVATIONS), observed)
            rows = [(t.name, place + 1) for t in (PROPOSALS, CANDIDATES, PROMOTIONS)]
            rows += [(OBSERVATIONS.name, place * windows + i + 1) for i in range(windows)]
            link.execute(sa.insert(CHAIN), list(_links(name, rows)))
    return ledger


def _links(name: str, rows: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Yield links whose digests nobody checks who only reads."""
    for position, (table, row) in enumerate(rows, 1):
        digest = hashlib.sha256(f"{name} {position}".encode()).hexdigest()
        yield {
            "model": name,
            "position": position,
            "table_name": table,
            "row_id": row,
            "digest": digest,
        }


def _spec(name: str, owner: str, windows: int) -> dict[str, Any]:
    return {
        "model": name,
        "owner": {"name": owner, "approvers": ["ada"]},
        "source": {"path": "unused", "time": "time", "key": "id"},
        "window": {"every": "1d", "start": START.date(), "end": (START + windows * DAY).date()},
        "features": {"numeric": FEATURES},
        "label": {"column": "y", "classes": [0, 1]},
        "training": {"window": "60d"},
    }


def _proposal(name: str) -> dict[str, Any]:
    return {
        **_of(name),
        "kind": "retrain",
        "reason": "bootstrap",
        "trained_from": START - 60 * DAY,
        "trained_until": START,
        "proposer": "otto",
        "spec_digest": "spec",
    }


def _candidate(name: str) -> dict[str, Any]:
    return {
        **_of(name),
        "version": 1,
        "run_id": "run",
        "artifact_digest": "files",
        "spec_digest": "spec",
        "data_digest": "data",
        "trained_until": START,
        "metrics": {"format": 1},
        "gates": [],
        "reference": {},
    }


def _promotion(name: str) -> dict[str, Any]:
    return {
        **_of(name),
        "number": 1,
        "version": 1,
        "effective_from": START,
        "by": "ada",
        "reason": "bootstrap",
    }


def _of(name: str) -> dict[str, Any]:
    return {"model": name, "proposal": "bootstrap", "recorded_at": START}


def _observations(name: str, seed: int, windows: int) -> Iterator[dict[str, Any]]:
    """Yield windows around a level that rises in a twentieth of the models; a few say nothing."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.2, 0.7) + (seed % 20 == 3) * np.linspace(0, 1.5, windows)
    for number in range(windows):
        quiet = rng.random() < 0.03
        pressure = None if quiet else float(abs(rng.normal(level[number], 0.15)))
        yield {
            "model": name,
            "version": 1,
            "window_start": START + number * DAY,
            "window_end": START + (number + 1) * DAY,
            "revision": 0,
            "spec_digest": "spec",
            "data_digest": "data",
            "verdict": "insufficient"
            if pressure is None
            else "drifting"
            if pressure > 1
            else "steady",
            "reason": "12 rows, fewer than window.min_rows = 200" if quiet else "said",
            "pressure": pressure,
            "figures": _figures(rng, pressure),
            "recorded_at": START + (number + 1) * DAY,
        }


def _figures(rng: np.random.Generator, pressure: float | None) -> dict[str, Any]:
    """Return figures as large as those of two classes and six features are."""
    if pressure is None:
        return {"format": 1, "code": "0.2.0", "rows": 12, "accepted": 12, "quarantined": 0}
    loss = 0.3 + 0.1 * pressure
    moved = {name: float(rng.normal()) for name in FEATURES[:5]}
    change = {"total": float(rng.normal()), "features": moved, "rest": 0.001}
    named: list[tuple[str, str | None]] = [(name, None) for name in ("hinge_loss", *_SHAPES)]
    named += [(name, of) for name in _OF_CLASS for of in ("0", "1")]
    sums = {
        n: rng.random(20).tolist() for n in ("rows", "weight", "probability", "happened", "squared")
    }
    return {
        "format": 1,
        "code": "0.2.0",
        "rows": 5000,
        "accepted": 4990,
        "quarantined": 10,
        "warnings": [],
        "labelled": 4900,
        "labels": {"0": 2400, "1": 2500},
        "psi": float(rng.random()),
        "moved": change,
        "features": [{"feature": n, "shift": v, "spread": 1 + v / 9} for n, v in moved.items()],
        "diagnoses": [],
        "losses": {
            "accuracy": 0.9,
            "hinge_loss": loss,
            "violation_rate": 0.4,
            "error_rate": 0.1,
            "squared_hinge": 0.5,
            "margin": 0.8,
            "unsigned_margin": 1.1,
            "loss_tail_ratio": 2.0,
            "effective_rows": 4900,
        },
        "classes": {
            of: {
                "share": float(rng.random()),
                "share_reference": 0.5,
                "hinge_loss": loss,
                "error_rate": float(rng.random() / 5),
                "error_rate_reference": 0.1,
            }
            for of in ("0", "1")
        },
        "moved_by_class": {"0": change, "1": change},
        "accuracy": 0.9 - 0.05 * pressure,
        "hinge_loss": loss,
        "violation_rate": 0.3 + 0.1 * pressure,
        "calibration": {
            "verdict": "steady",
            "reason": "the probabilities hold",
            "pressure": float(rng.uniform(0, 0.6)),
            "statistics": [_statistic(rng, n, None, 0.4) for n in ("overconfidence", "bias")],
            "brier": 0.12,
            "calibration_error": 0.05,
            "brier_reference": 0.11,
            "calibration_error_reference": 0.04,
            "table": {
                "bins": list(range(20)),
                **sums,
                "weight_squared": 4900.0,
                "top": False,
                "classes": {},
            },
        },
        "statistics": [
            _statistic(rng, n, of, pressure if n == "hinge_loss" else pressure * rng.random())
            for n, of in named
        ],
    }


def _statistic(
    rng: np.random.Generator, name: str, of: str | None, pressure: float
) -> dict[str, Any]:
    limit = 0.1 + float(rng.random()) / 50
    return {
        "name": name,
        "value": pressure * limit,
        "effect": 0.1,
        "noise": limit,
        "counts": "both",
        "of": of,
        "reference": 0.3 if name == "hinge_loss" else None,
        "blind": False,
        "unreachable": False,
        "limit": limit,
        "pressure": pressure,
    }

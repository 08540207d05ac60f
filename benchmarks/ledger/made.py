"""A ledger of many windows, written in bulk: linked, but not signed, which would take minutes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tasks.drift.loss_sums import MeanLosses
from tasks.drift.statistic import Statistic
from tasks.ledger import chain
from tasks.ledger.chain import Link
from tasks.ledger.ledger import Ledger
from tasks.ledger.tables import CHAIN, OBSERVATIONS, PROMOTIONS
from tasks.spec.model import ModelSpec

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STATISTICS = ("ks", "wasserstein", "mean", "standard_deviation", "hinge_loss", "violation_rate")
REASON = "nothing beyond its limit; nearest: mean at 0.8 of its limit of 0.20"

Row = dict[str, Any]


def spec(model: str) -> ModelSpec:
    """Return the spec of a model with daily windows."""
    return ModelSpec.model_validate(raw_spec(model))


def raw_spec(model: str) -> Row:
    """Return that spec as a file holds it."""
    return {
        "model": model,
        "owner": {"name": "benchmark", "approvers": ["ada"]},
        "source": {"path": "rows.parquet", "time": "time", "key": "id"},
        "window": {"every": "1d", "start": f"{START:%Y-%m-%d}"},
        "features": {"numeric": ["x"]},
        "label": {"column": "y", "classes": [0, 1]},
        "training": {"window": "30d"},
    }


def name(number: int) -> str:
    """Return the name of a model."""
    return f"model{number:04}"


def fill(ledger: Ledger, models: int, windows: int) -> None:
    """Write models with a champion and so many windows each into an empty ledger."""
    ledger.create()
    rng = random.Random(0)
    for number in range(models):
        rows = [(PROMOTIONS, _promotion(name(number)))]
        rows += [(OBSERVATIONS, observation(name(number), n, rng)) for n in range(windows)]
        _append(ledger, rows)


def more(ledger: Ledger, model: str, window: int) -> None:
    """Append one window of a model."""
    _append(ledger, [(OBSERVATIONS, observation(model, window, random.Random(window)))])


def _append(ledger: Ledger, rows: list[tuple[sa.Table, Row]]) -> None:
    model = rows[0][1]["model"]
    newest = ledger.head(model)
    last = newest[0] if newest else None
    with ledger._engine.begin() as link:
        for table in (PROMOTIONS, OBSERVATIONS):
            mine = [row for to, row in rows if to is table]
            first = (link.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0) + 1
            for row_id, row in enumerate(mine, first):
                row["id"] = row_id
            if mine:
                link.execute(sa.insert(table), mine)
        linked = [{"model": model, **asdict(one)} for one in _links(last, rows)]
        link.execute(sa.insert(CHAIN), linked)


def _links(last: Link | None, rows: list[tuple[sa.Table, Row]]) -> Iterator[Link]:
    for table, row in rows:
        # Over the id alone: nobody verifies this chain.
        last = chain.link(last, table.name, {"id": row["id"]})
        yield last


def _promotion(model: str) -> Row:
    return {
        "model": model,
        "number": 1,
        "proposal": "first",
        "version": 1,
        "expected": None,
        "effective_from": START,
        "by": "benchmark",
        "reason": "bootstrap",
        "recorded_at": START,
    }


def observation(model: str, number: int, rng: random.Random) -> Row:
    """Return a day's row."""
    start = START + number * DAY
    return {
        "model": model,
        "version": 1,
        "window_start": start,
        "window_end": start + DAY,
        "revision": 0,
        "spec_digest": "5" * 64,
        "data_digest": hashlib.sha256(f"{model} {number}".encode()).hexdigest(),
        "verdict": "steady",
        "reason": REASON,
        "pressure": rng.random(),
        "figures": _figures(rng),
        "recorded_at": start + DAY,
    }


def _figures(rng: random.Random) -> Row:
    """Return figures as large as those of a labelled window with twenty features."""
    tenths = [round(n / 10, 1) for n in range(11)]
    return {
        "format": 1,
        "code": "0.2.0",
        "rows": 1000,
        "accepted": 990,
        "quarantined": 10,
        "labelled": 990,
        "labels": {"0": 495, "1": 495},
        "statistics": [_statistic(rng, one) for one in STATISTICS],
        "features": [
            {"feature": f"feature_{n}", "shift": rng.random(), "spread": rng.random()}
            for n in range(20)
        ],
        "moved": {
            "total": rng.random(),
            "features": {f"feature_{n}": rng.random() for n in range(5)},
            "rest": 0.0,
        },
        "losses": {f.name: rng.random() for f in fields(MeanLosses)},
        "accuracy": rng.random(),
        "hinge_loss": rng.random(),
        "violation_rate": rng.random(),
        "calibration": {
            "verdict": "steady",
            "reason": REASON,
            "pressure": rng.random(),
            "statistics": [_statistic(rng, one) for one in ("overconfidence", "bias")],
            "brier": rng.random(),
            "table": {k: [rng.random() for _ in tenths] for k in ("said", "happened", "rows")},
        },
        "report": f"reports/{'0' * 40}/window.html",
    }


def _statistic(rng: random.Random, name: str) -> Row:
    return Statistic(name, rng.random(), 0.1, 0.1 * rng.random(), reference=rng.random()).to_json()

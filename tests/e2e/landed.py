"""What the end-to-end tests run on: the rows of twenty days, and a spec for each model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ops import stack_settings
from tests.support import kinds
from tests.support.kinds import Kind

START = datetime(2026, 1, 1, tzinfo=UTC)  # the first row
ACCEPTED = START + timedelta(days=8)  # the first champion is trained on what is before
SHIFT = START + timedelta(days=14)  # from here on the labels follow another rule
DAY = timedelta(days=1)
BACK = SHIFT + 2 * DAY  # from here on `y_back` follows the first rule again
ORDERS = ("forwards", "backwards", "twice", "half_again")
ASKING = ("asking", "hasty")
WINDOW = {"every": "1d", "start": START.date(), "end": (START + 20 * DAY).date()}
CANARIES = {"canary": "human", "canary_alone": "automatic"}  # who decides on a rollback

# The second one listens to the champion of the first, which scores the rows that it is measured on.
LANDING = ("upstream", "landing")

LETHAL = "lethal"  # a file of its rows ends the process that reads it

REVIEWED = "reviewed"  # half of its rows have no label

HANDED = "handed"  # its second champion is fit elsewhere

SHARED = "shared"  # its champion scores half of the keys first

# A change at once with the first window after ACCEPTED, so that few windows show what comes of it.
PLAYED = {
    "abrupt": Kind(days=12, turned=kinds.days(9, 12)),
    "outage": Kind(days=13, broken=kinds.days(9, 11)),
    "noisy": Kind(days=13, change=9, noise=0.3, parts=kinds.REFUSED),
}


def land(folder: Path, days: int = 20, rows: int = 400) -> None:
    """Write one Parquet file a day: two features, who scored the row, and three labels.

    `y` follows a rule that turns round at SHIFT; `y_back` turns round again at BACK, from where on
    versions 1 and 2 each score half of the rows. The rule of `y_coin` stays, but from ACCEPTED on a
    coin decides 30 % of it.
    """
    rng, coin = np.random.default_rng(3), np.random.default_rng(4)
    for day in range(days):
        start = START + day * DAY
        x, z = rng.normal(size=(2, rows))
        noise = 0.5 * z + 0.3 * rng.normal(size=rows)
        first, turned = ((sign * x + noise > 0).astype(np.int8) for sign in (1, -1))
        spoilt = coin.random(rows) < (0.3 if start >= ACCEPTED else 0)
        seconds = np.sort(rng.integers(0, 86_400, rows))
        columns = {
            "time": pa.array([start + timedelta(seconds=int(s)) for s in seconds]),
            "id": pa.array(day * rows + np.arange(rows)),
            "x": pa.array(x),
            "z": pa.array(z),
            "y": pa.array(turned if start >= SHIFT else first),
            "y_back": pa.array(turned if SHIFT <= start < BACK else first),
            "y_half": pa.array(first, mask=(np.arange(rows) % 2 == 1) & (start >= ACCEPTED)),
            "y_coin": pa.array(np.where(spoilt, coin.integers(0, 2, rows), first).astype(np.int8)),
            "by": pa.array(["v1", "v2" if start >= BACK else "v1"] * (rows // 2)),
        }
        target = folder / f"date={start:%Y-%m-%d}" / "part-0.parquet"
        target.parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), target)


def write_specs(models: Path, home: Path) -> None:
    """Write the model specs of these tests, one with a mistake among them."""
    for name in ORDERS:
        write_spec(models, home, name, approval="automatic")
    for name in ASKING:
        write_spec(models, home, name, approval="human")
    write_spec(
        models,
        home,
        "mortal",
        approval="human",
        source={**source_in(home), "path": f"{home}/mortal/date={{date}}/*.parquet"},
    )
    write_spec(
        models,
        home,
        LETHAL,
        approval="human",
        source={**source_in(home), "path": f"{home}/{LETHAL}/date={{date}}/*.parquet"},
    )
    write_spec(models, home, "looked_at", approval="human")
    write_spec(models, home, "told", approval="human", notify={"owners": "info"})
    write_spec(models, home, "held", approval="automatic")
    write_spec(models, home, "shadowed", approval="automatic", shadow={"windows": 2})
    write_spec(
        models,
        home,
        "unsure",
        approval="human",
        label={"column": "y_coin", "classes": [0, 1]},
        # The owner does not mind losses that no other decision function would lower.
        drift={
            "ks": {"effect": 0.2},
            "hinge_loss": {"effect": 2},
            "violation_rate": {"effect": 0.2},
            "class_loss": {"effect": 2},
            "class_recall": {"effect": 0.5},
        },
        training={"window": "5d"},
    )
    write_spec(
        models,
        home,
        REVIEWED,
        approval="human",
        label={"column": "y_half", "classes": [0, 1]},
        review={
            "at_most": 30,
            "prefer": "uncertain",
            "labels": {"path": f"{home}/reviewed.csv", "column": "choice"},
        },
    )
    write_spec(models, home, HANDED, approval="human")
    for name, decides in CANARIES.items():
        write_spec(
            models,
            home,
            name,
            approval="human",
            rollback=decides,
            label={"column": "y_back", "classes": [0, 1]},
            source={**source_in(home), "version_column": "by"},
            window={**WINDOW, "min_rows": 100},
        )
    write_spec(
        models,
        home,
        SHARED,
        approval="human",
        label={"column": "y_back", "classes": [0, 1]},
        source={**source_in(home), "margin": "margin", "version_column": "model_version"},
        # What a file of scores starts takes the newest window, which is then one of these.
        window={**WINDOW, "end": (BACK + 2 * DAY).date(), "min_rows": 100},
        scoring={"path": f"{home}/shares", "canary": {"share": 0.5, "windows": 2}},
    )
    write_spec(
        models,
        home,
        LANDING[0],
        approval="automatic",
        source={**source_in(home), "margin": "margin", "version_column": "model_version"},
        scoring={"path": f"{home}/scores", "on": ["champion"]},
    )
    asset = {**source_in(home), "asset": f"gatelatch://{LANDING[0]}/champion"}
    write_spec(models, home, LANDING[1], approval="automatic", source=asset)
    for name, kind in PLAYED.items():
        kinds.land(name, kind, home)
        raw = kinds.spec_of(name, kind, home)
        (models / f"{name}.yaml").write_text(yaml.safe_dump(raw))
    (models / "broken.yaml").write_text("model: broken\ndrift: {ks: {efect: 0.1}}\n")


def source_in(home: Path) -> dict[str, str]:
    return {"path": f"{home}/landing/date={{date}}/*.parquet", "time": "time", "key": "id"}


def write_spec(
    models: Path, home: Path, name: str, approval: str, rollback: str = "human", **parts: Any
) -> None:
    """Write a model spec over the landed data; keywords are further parts of it."""
    spec = {
        "model": name,
        "owner": {"name": "team", "approvers": [stack_settings.APPROVER]},
        "source": source_in(home),
        "window": WINDOW,
        "features": {"numeric": ["x", "z"]},
        "label": {"column": "y", "classes": [0, 1]},
        "drift": {"ks": {"effect": 0.2}, "hinge_loss": {"effect": 0.2}},
        "latch": {"rest": "1d"},
        "training": {"window": "2d"},
        "approval": {"retrain": approval, "promote": approval, "rollback": rollback},
        **parts,
    }
    (models / f"{name}.yaml").write_text(yaml.safe_dump(spec))

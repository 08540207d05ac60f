"""One small made stream of each kind of change: days of 300 rows, and a spec that decides alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.support.flow import day

ROWS = 300
BEFORE = 8  # days that the first champion is trained on
CHANGE = 12  # the day of the change

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """A stream of so many days: on which the rule is turned, or a feature is broken, and so on.

    From `change` on a share of the labels is `noise`, or a third class is there. `spoilt` are days
    without a file, `stale` ones that end early; `parts` are of the spec.
    """

    days: int = 20
    change: int = CHANGE
    turned: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()
    noise: float = 0.0
    positives: float = 0.5
    third: bool = False
    spoilt: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)


def days(first: int, last: int) -> tuple[int, ...]:
    """Return the days from the first to the last, both included."""
    return tuple(range(first, last + 1))


REFUSED = {"gates": {"hinge_loss": {"at_most": 0.5}}}  # what noise alone exceeds
KINDS = {
    "abrupt": Kind(turned=days(CHANGE, 20)),
    "short_outage": Kind(days=17, broken=days(CHANGE, CHANGE + 1)),
    "long_outage": Kind(broken=days(CHANGE, CHANGE + 4)),
    "recurring": Kind(days=22, turned=days(CHANGE, CHANGE + 5)),
    "minority": Kind(turned=days(CHANGE, 20), positives=0.1),
    "label_noise": Kind(days=24, noise=0.3, parts=REFUSED),
    "late_class": Kind(third=True),
    # Of windows of versions that are no champion any more when their labels come.
    "late_labels": Kind(
        days=26,
        turned=days(CHANGE, CHANGE + 7),
        noise=0.15,
        parts={
            "label": {
                "column": "y",
                "classes": [0, 1],
                "delay": "2d",
                "source": {"path": "labels/late_labels/{date}.parquet"},
            }
        },
    ),
    # Of the stale day's rows the wait for enough of them knows nothing: it was not measured.
    "spoilt": Kind(
        turned=days(CHANGE, 20),
        spoilt=(11, 14),
        stale=(13,),
        parts={"latch": {"wait": 2}, "training": {"window": "8d", "judge": 0.08}},
    ),
}


def rows(kind: Kind, number: int) -> dict[str, Any]:
    """Return the rows of a day, evenly spread over it; the same for the same day."""
    rng = np.random.default_rng([7, number])
    x: Floats = rng.normal(size=(ROWS, 3))
    angle = np.deg2rad(120.0 if number in kind.turned else 0.0)
    score = np.cos(angle) * x[:, 0] + np.sin(angle) * x[:, 1] + 0.4 * rng.normal(size=ROWS)
    label = (score > np.quantile(score, 1 - kind.positives)).astype(np.int64)
    changed = number >= kind.change
    flipped = (rng.random(ROWS) < kind.noise) & changed
    label = np.where(flipped, 1 - label, label)
    third = (rng.random(ROWS) < 0.3) & kind.third & changed
    x[third, 2] += 4.0
    label = np.where(third, 2, label)
    if number in kind.broken:
        x[:, 0] = -x[:, 0]  # a sign that somebody mixed up
    columns: dict[str, Any] = {
        "time": [day(number) + timedelta(days=1) * i / ROWS for i in range(ROWS)],
        "id": np.arange(ROWS) + ROWS * number,
        **{f"x{i}": x[:, i] for i in range(3)},
        "y": label,
    }
    if number in kind.stale:
        columns = {name: values[: ROWS // 2] for name, values in columns.items()}
    return columns


def spec_of(name: str, kind: Kind, folder: Path) -> dict[str, Any]:
    """Return the raw spec of a kind whose rows are landed in a folder.

    It does not propose to recalibrate, which a replay does not play.
    """
    raw = {
        "model": name,
        "owner": {"name": "team"},
        "source": {"path": f"{folder}/data/{name}/{{date}}.parquet", "time": "time", "key": "id"},
        "window": {
            "every": "1d",
            "start": day(1).date(),
            "end": day(kind.days + 1).date(),
            "min_rows": 50,
        },
        "features": {"numeric": ["x0", "x1", "x2"]},
        "label": {"column": "y", "classes": [0, 1, 2] if kind.third else [0, 1]},
        "drift": {"calibration": {"propose": False}},
        "training": {"window": f"{BEFORE}d"},
        "approval": dict.fromkeys(("retrain", "promote", "rollback"), "automatic"),
    } | dict(kind.parts)
    if source := raw["label"].get("source"):
        raw["label"] = {**raw["label"], "source": {"path": f"{folder}/{source['path']}"}}
    return raw


def land(name: str, kind: Kind, folder: Path) -> None:
    """Write all days of a kind, with their labels unless these come later: see `land_labels`."""
    for number in range(1, kind.days + 1):
        if number in kind.spoilt:
            continue
        columns = rows(kind, number)
        if "label" in kind.parts:
            del columns["y"]
        _write(folder / "data" / name / f"{day(number):%Y-%m-%d}.parquet", columns)


def land_labels(name: str, kind: Kind, folder: Path, number: int) -> None:
    """Write the labels of a day of a kind whose labels come late."""
    columns = rows(kind, number)
    target = folder / "labels" / name / f"{day(number):%Y-%m-%d}.parquet"
    _write(target, {part: columns[part] for part in ("id", "y")})


def _write(target: Path, columns: Mapping[str, Any]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), target)

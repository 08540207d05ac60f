"""Rows and a password that may leave no trace: two models of the running stack."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .landed import DAY, START, WINDOW, write_spec

MODELS = ("traced", "shut_out")
DATABASE, PASSWORD = "E2E_ROWS_DATABASE", "p4ssw0rd-of-the-rows"
# Its second @ should have been %40, so that the driver takes what follows the first for the host.
ADDRESS = f"postgresql+psycopg://reader:first@{PASSWORD}@127.0.0.1:1/rows"

CANARY = "zanzibar31415"  # in each key, in a rare category and in a rare word
OUTLIER, STRANGE = 987654.25, 31415926  # a feature's value and a label to put aside
RARE = (1, 2, 8, 9, 10)  # of the eight days that train, two hold the rare ones
ODD, TYPED_OTHERWISE, CUT = (
    8,
    9,
    10,
)  # days with bad rows, with a text among numbers, of half a file


def _columns(day: int, rows: int = 300) -> dict[str, object]:
    rng = np.random.default_rng(day)
    x = rng.normal(size=rows)
    shop = rng.choice(["north", "south"], rows).astype(object)
    note = np.where(x > 0, "good tea", "bad bread").astype(object)
    if day in RARE:
        shop[:2], note[1:3] = f"{CANARY} street", f"good {CANARY} of tea"
    truth = (x + 0.4 * rng.normal(size=rows) > 0).astype(int)
    start = START + day * DAY
    times = [start + timedelta(seconds=60 * n) for n in range(rows)]
    keys = [f"{CANARY}-{day}-{n}" for n in range(rows)]
    return {"time": times, "id": keys, "x": x, "shop": shop, "note": note, "y": truth}


def land(home: Path) -> None:
    """Write the rows of twelve days: all keys are canaries, and some days are odd."""
    for day in range(12):
        columns = _columns(day)
        if day == ODD:
            for name, value in (("x", OUTLIER), ("y", STRANGE)):
                changed = np.array(columns[name])
                changed[5 if name == "x" else 6] = value
                columns[name] = changed
            columns["id"] = [f"{CANARY}-twice", f"{CANARY}-twice", *list(columns["id"])[2:]]  # type: ignore[call-overload]  # a mapping of objects
        if day == TYPED_OTHERWISE:
            columns["x"] = [CANARY, *map(str, np.array(columns["x"])[1:])]
        file = home / "traced" / f"{START + day * DAY:%Y-%m-%d}.parquet"
        file.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), file, compression="none")
        if day == CUT:
            file.write_bytes(file.read_bytes()[:-600])


def over_rows_of(folder: str) -> dict[str, object]:
    """Return the parts of the spec of a model over these rows."""
    return {
        "source": {"path": f"{folder}/{{date}}.parquet", "time": "time", "key": "id"},
        "features": {"numeric": ["x"], "categorical": ["shop"], "text": ["note"]},
        "expectations": [
            {"type": "expect_column_values_to_be_between", "column": "x", "max_value": 100}
        ],
        "window": {**WINDOW, "min_rows": 50},
        "training": {"window": "8d"},
    }


def write_specs(models: Path, home: Path) -> None:
    """Write a model over these rows, and one whose database lets nobody in."""
    write_spec(models, home, "traced", approval="automatic", **over_rows_of(f"{home}/traced"))
    table = {"table": "rows", "database": DATABASE, "time": "time", "key": "id"}
    write_spec(models, home, "shut_out", approval="automatic", source=table)

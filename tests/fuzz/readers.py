"""Files that land: CSV and Parquet rows, and labels of a file of their own."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from tasks.data.digest import Digest
from tasks.data.outside import Outside
from tasks.data.window_rows import batches, digest_of
from tasks.errors import GatelatchError
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import CHURN
from tests.fuzz.target import READ, Fault, Target, refused

DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
SPLIT = b"\n====\n"  # between the rows and their labels
_FEATURES = {"numeric": ["x"], "categorical": ["shop"], "text": ["note"]}


def _rows(count: int = 12) -> pa.Table:
    times = [DAY.start + timedelta(hours=2 * n) for n in range(count)]
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "id": [f"r{n}" for n in range(count)],
            "x": [n / 2 for n in range(count)],
            "shop": ["north" if n % 2 else "south" for n in range(count)],
            "note": ["good tea", 'bad, "bread"\n'] * (count // 2),
            "y": [str(n % 2) for n in range(count)],
        }
    )


def _csv(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    csv.write_csv(rows, sink)
    return sink.getvalue()


def _parquet(rows: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    return sink.getvalue()


def _spec(path: Path, labels: Path | None = None) -> ModelSpec:
    label: dict[str, object] = {"column": "y", "classes": ["0", "1"]}
    if labels is not None:
        label["source"] = {"path": str(labels), "key": "id"}
    source = {"path": str(path), "time": "time", "key": "id"}
    return ModelSpec.model_validate(
        {**CHURN, "source": source, "features": _FEATURES, "label": label}
    )


def _read(spec: ModelSpec) -> str:
    """Read a window twice: what is accepted has one schema, its columns, and one digest."""
    digest, outside = Digest(), Outside()
    try:
        found = list(batches(spec, DAY, digest=digest, outside=outside))
    except GatelatchError as error:
        return refused(error)
    if len({batch.schema for batch in found}) > 1:
        raise Fault("batches of several schemas")
    if digest_of(spec, DAY) != digest.beside(outside.told):
        raise Fault("the same bytes have two digests")
    for batch in found:
        batch.validate(full=True)
    return READ


def _file(folder: Path, ending: str) -> Callable[[bytes], str]:
    path = folder / f"rows.{ending}"
    spec = _spec(path)

    def read(content: bytes) -> str:
        path.write_bytes(content)
        return _read(spec)

    return read


def csv_target(folder: Path) -> Target:
    """Return the reader of CSV."""
    seeds = [_csv(_rows()), b"time,id,x,shop,note,y\n", b"", _csv(_rows(2)).replace(b"\n", b"\r\n")]
    return Target(seeds=seeds, read=_file(folder, "csv"), folder=folder)


def parquet_target(folder: Path) -> Target:
    """Return the reader of Parquet."""
    rows = _rows()
    seeds = [_parquet(rows), _parquet(rows, compression="none", use_dictionary=False)]
    seeds.append(_parquet(rows.slice(0, 2), compression="gzip", version="1.0"))
    return Target(
        seeds=seeds, read=_file(folder, "parquet"), folder=folder, longest=8192, apart=True
    )


def join_target(folder: Path) -> Target:
    """Return the join of rows and labels, each in a CSV file."""
    rows, labels = folder / "rows.csv", folder / "labels.csv"
    spec = _spec(rows, labels)

    def read(content: bytes) -> str:
        landed, _, told = content.partition(SPLIT)
        rows.write_bytes(landed)
        labels.write_bytes(told)
        return _read(spec)

    table = _rows()
    some = _csv(table.drop_columns(["y"])), _csv(table.select(["id", "y"]))
    return Target(seeds=[SPLIT.join(some), some[0] + SPLIT], read=read, folder=folder)

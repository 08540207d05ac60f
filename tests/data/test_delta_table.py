"""A Delta table is read as the files of its newest version are, and says what it cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from tasks.data.readers import SourceError
from tasks.data.window_rows import NoRows, batches, digest_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
FEATURES = {"numeric": ["x"], "categorical": ["shop"]}


def rows(start: datetime, count: int = 100) -> pa.Table:
    return pa.table(
        {
            "time": pa.array([start + timedelta(seconds=i) for i in range(count)]),
            "id": [f"{start:%d}-{i}" for i in range(count)],
            "x": [i / 2 for i in range(count)],
            "shop": ["a" if i % 2 else "b" for i in range(count)],
            "y": [str(i % 2) for i in range(count)],
        }
    )


def spec_of(spec: Spec, place: dict[str, Any], **label: Any) -> ModelSpec:
    source = {"path": None, "time": "time", "key": "id", **place}
    wanted = {"column": "y", "classes": ["0", "1"], **label}
    return spec(source=source, features=FEATURES, label=wanted)


def read(found: ModelSpec) -> pa.Table:
    return pa.Table.from_batches(list(batches(found, DAY)))


def test_the_rows_of_a_table_are_those_of_a_file_with_the_same_digest(
    spec: Spec, tmp_path: Path
) -> None:
    write_deltalake(tmp_path / "table", rows(DAY.start))
    pq.write_table(rows(DAY.start), tmp_path / "rows.parquet")
    table = spec_of(spec, {"delta": str(tmp_path / "table")})
    file = spec_of(spec, {"path": str(tmp_path / "rows.parquet")})
    assert read(table).equals(read(file))
    assert digest_of(table, DAY) == digest_of(file, DAY)


def test_rows_that_a_newer_version_removed_are_not_read(spec: Spec, tmp_path: Path) -> None:
    place = tmp_path / "table"
    write_deltalake(place, rows(DAY.start))
    write_deltalake(place, rows(DAY.end), mode="append")
    DeltaTable(place).delete("x >= 10")
    found = read(spec_of(spec, {"delta": str(place)}))
    assert found.num_rows == 20
    assert max(found.column("x").to_pylist()) < 10
    write_deltalake(place, rows(DAY.end), mode="overwrite")
    with pytest.raises(NoRows, match="holds no row for the window"):
        read(spec_of(spec, {"delta": str(place)}))


def test_labels_come_from_a_table_of_their_own(spec: Spec, tmp_path: Path) -> None:
    pq.write_table(rows(DAY.start).drop_columns(["y"]), tmp_path / "rows.parquet")
    write_deltalake(tmp_path / "labels", rows(DAY.start).select(["id", "y"]))
    labels = {"delta": str(tmp_path / "labels")}
    found = read(spec_of(spec, {"path": str(tmp_path / "rows.parquet")}, source=labels))
    assert found.column("y").to_pylist() == rows(DAY.start).column("y").to_pylist()


def test_a_table_that_is_not_there_or_partitioned_by_a_wanted_column_is_named(
    spec: Spec, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"cannot be opened .*; correct source\.delta"):
        read(spec_of(spec, {"delta": str(tmp_path / "none")}))
    write_deltalake(tmp_path / "table", rows(DAY.start), partition_by=["shop"])
    with pytest.raises(SourceError, match="'shop' is one that the table is partitioned by"):
        read(spec_of(spec, {"delta": str(tmp_path / "table")}))


def test_without_deltalake_the_error_says_what_to_install(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(SourceError, match=r"pip install -r requirements-delta\.txt"):
        read(spec_of(spec, {"delta": str(tmp_path)}))

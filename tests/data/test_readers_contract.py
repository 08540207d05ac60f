"""What every reader keeps to: the same rows give the same batches, digest, labels and order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake

from tasks.data.outside import Outside
from tasks.data.readers import SourceError
from tasks.data.sources import READERS, reader_of
from tasks.data.unpacking import BATCH_ROWS
from tasks.data.window_rows import NoRows, batches, digest_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

Spec = Callable[..., ModelSpec]
Land = Callable[[pa.Table], dict[str, Any]]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
FEATURES = {"numeric": ["x"], "categorical": ["shop"]}
KINDS = ("parquet", "csv", "sql", "delta")


@pytest.fixture
def landed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Land]:
    """Return what writes rows for a reader, and gives the place that a spec names."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'rows.db'}")
    monkeypatch.setenv("ROWS", str(engine.url))

    def parquet(rows: pa.Table) -> dict[str, Any]:
        path = tmp_path / f"{rows.num_columns}.parquet"
        pq.write_table(rows, path)
        return {"path": str(path)}

    def text(rows: pa.Table) -> dict[str, Any]:
        path = tmp_path / f"{rows.num_columns}.csv"
        csv.write_csv(rows, path)
        return {"path": str(path)}

    def delta(rows: pa.Table) -> dict[str, Any]:
        path = tmp_path / f"delta{rows.num_columns}"
        write_deltalake(path, rows)
        return {"path": None, "delta": str(path)}

    def sql(rows: pa.Table) -> dict[str, Any]:
        name = f"rows{rows.num_columns}"
        frame = rows.to_pandas()
        if "time" in frame:
            frame["time"] = frame["time"].dt.tz_localize(None)
        frame.to_sql(name, engine, index=False)
        return {"path": None, "table": name, "database": "ROWS"}

    kinds: dict[str, Land] = {"parquet": parquet, "csv": text, "sql": sql, "delta": delta}
    return lambda kind: kinds[kind]


def table(count: int, start: datetime = DAY.start) -> pa.Table:
    times = [start + timedelta(microseconds=1500 * i) for i in range(count)]
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "id": [f"r{i:06}" for i in range(count)],
            "x": [i / 2 for i in range(count)],
            "shop": ["a" if i % 2 else "b" for i in range(count)],
            "y": [str(i % 2) for i in range(count)],
        }
    )


def spec_of(spec: Spec, place: dict[str, Any], labels: dict[str, Any] | None = None) -> ModelSpec:
    label = {"column": "y", "classes": ["0", "1"]}
    if labels is not None:
        label["source"] = {key: value for key, value in labels.items() if value is not None}  # type: ignore[assignment]
    return spec(source={"time": "time", "key": "id", **place}, features=FEATURES, label=label)


def values(found: ModelSpec, **options: Any) -> list[dict[str, Any]]:
    read = pa.Table.from_batches(list(batches(found, DAY, **options)))
    return [
        {**row, "time": row["time"].replace(tzinfo=UTC)}
        for row in read.select(["time", "id", "x", "shop", "y"]).to_pylist()
    ]


each = pytest.mark.parametrize("kind", KINDS)


def test_every_reader_has_its_contract_kept_here() -> None:
    assert set(READERS) == {"path", "table", "delta"}


@each
def test_the_rows_of_a_window_are_those_that_were_written_in_their_order(
    kind: str, spec: Spec, landed: Callable[[str], Land]
) -> None:
    rows = pa.concat_tables([table(300), table(5, DAY.end)])
    found = spec_of(spec, landed(kind)(rows))
    assert reader_of(found.source) is READERS[found.source.kind]
    assert values(found) == table(300).to_pylist()
    assert digest_of(found, DAY) == digest_of(found, DAY)


@each
def test_rows_come_in_batches_of_bounded_size(
    kind: str, spec: Spec, landed: Callable[[str], Land]
) -> None:
    found = spec_of(spec, landed(kind)(table(BATCH_ROWS + 100)))
    sizes = [batch.num_rows for batch in batches(found, DAY, ["x"])]
    assert sum(sizes) == BATCH_ROWS + 100
    assert max(sizes) <= BATCH_ROWS


@each
def test_labels_of_a_source_of_their_own_are_joined_to_their_rows(
    kind: str, spec: Spec, landed: Callable[[str], Land]
) -> None:
    whole = table(300)
    rows = landed("parquet")(whole.drop_columns(["y"]))
    labels = landed(kind)(whole.select(["id", "y"]).slice(50).take(list(range(249, -1, -1))))
    found = values(spec_of(spec, rows, labels))
    assert [row["y"] for row in found] == [None] * 50 + whole.column("y").to_pylist()[50:]


@each
def test_a_window_without_rows_is_told_from_a_place_that_cannot_be_read(
    kind: str, spec: Spec, landed: Callable[[str], Land]
) -> None:
    place = landed(kind)(table(5, DAY.end))
    with pytest.raises(NoRows, match="holds no row for the window"):
        values(spec_of(spec, place))
    with pytest.raises(SourceError, match=r"source\.time"):
        list(batches(spec(source={**place, "time": "t", "key": "id"}, features=FEATURES), DAY))


@each
def test_rows_that_no_window_holds_are_counted(
    kind: str, spec: Spec, landed: Callable[[str], Land]
) -> None:
    grid = {"every": "1d", "start": "2026-01-02", "end": "2026-01-03"}
    rows = pa.concat_tables([table(7), table(3, DAY.end)])
    found = spec_of(spec, landed(kind)(rows)).model_dump(mode="json") | {"window": grid}
    outside = Outside()
    list(batches(ModelSpec.model_validate(found), DAY, outside=outside))
    assert any("3 rows" in line for line in outside.told)


def test_files_and_a_delta_table_of_the_same_rows_have_one_digest(
    spec: Spec, landed: Callable[[str], Land]
) -> None:
    digests = {
        digest_of(spec_of(spec, landed(kind)(table(300))), DAY)
        for kind in ("parquet", "csv", "delta")
    }
    assert len(digests) == 1

"""Reading windows from real files and databases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tasks.data.digest import Digest
from tasks.data.readers import SourceError
from tasks.data.unpacking import BATCH_ROWS
from tasks.data.window_rows import NoRows, batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
DOCKER = "docker run -d -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust -e POSTGRES_DB=test"


def rows(times: Sequence[datetime | None], zone: str | None = "UTC", **columns: Any) -> pa.Table:
    n = len(times)
    plain = [t if t is None or zone else t.replace(tzinfo=None) for t in times]
    values = {"time": pa.array(plain, pa.timestamp("us", zone)), "id": list(range(n))}
    values |= {"x": np.linspace(0, 1, n), "z": np.ones(n), "y": [0] * n} | columns
    return pa.table(values)


def hours(start: int = -24, stop: int = 48) -> list[datetime]:
    """Return a time for each hour, from the day before the window to the day after."""
    return [DAY.start + timedelta(hours=h) for h in range(start, stop)]


def read(spec: ModelSpec, window: Window = DAY) -> tuple[pa.Table, str]:
    """Return the rows of a window and their digest."""
    digest = Digest()
    return pa.Table.from_batches(list(digest.tap(batches(spec, window)))), str(digest)


@pytest.fixture
def by_date(tmp_path: Path, spec: Spec) -> ModelSpec:
    return spec(source={"path": f"{tmp_path}/{{date}}*.parquet"})


def test_dated_files_are_read_by_the_days_of_the_window(by_date: ModelSpec, tmp_path: Path) -> None:
    pq.write_table(rows(hours(0, 12)), tmp_path / "2026-01-02a.parquet")
    pq.write_table(rows(hours(12, 24)), tmp_path / "2026-01-02b.parquet")
    (tmp_path / "2026-01-01a.parquet").write_text("of another day, so never opened")
    found = read(by_date)[0]
    assert (found.column_names, found["time"].to_pylist()) == ([*by_date.columns], hours(0, 24))


def test_a_local_day_is_in_the_file_of_that_local_day(spec: Spec, tmp_path: Path) -> None:
    tokyo = spec(source={"path": f"{tmp_path}/{{date}}.parquet"}, window={"timezone": "Asia/Tokyo"})
    day = Window(DAY.start - timedelta(hours=9), DAY.end - timedelta(hours=9))
    pq.write_table(rows(hours(-9, 15)), tmp_path / "2026-01-02.parquet")
    (tmp_path / "2026-01-01.parquet").write_text("of another day, so never opened")
    assert read(tokyo, day)[0].num_rows == 24


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", None])
def test_a_window_is_half_open_in_every_kind_of_file(
    tmp_path: Path, spec: Spec, kind: str, zone: str | None
) -> None:
    write = pq.write_table if kind == "parquet" else csv.write_csv
    with pa.output_stream(tmp_path / f"all.{kind}") as sink:
        write(rows(hours(), zone), sink)
    found = read(spec(source={"path": str(tmp_path / f"*.{kind}")}))[0]["id"].to_pylist()
    # A CSV's keys are texts: 07 and 7 are two rows.
    assert [int(key) for key in found] == list(range(24, 48))


def test_a_csv_may_hold_later_what_its_beginning_does_not(tmp_path: Path, spec: Spec) -> None:
    """Arrow infers types from the first megabyte: no label yet, and whole numbers only."""
    n = 60_000
    times = [DAY.start + timedelta(seconds=i) for i in range(n)]
    y = pa.array([None] * (n - 1) + [1], pa.int64())
    x = pa.array(["0"] * (n - 1) + ["0.5"])
    csv.write_csv(rows(times, x=x, y=y), tmp_path / "a.csv", csv.WriteOptions(quoting_style="none"))
    last = read(spec(source={"path": str(tmp_path / "a.csv")}))[0].slice(n - 1).to_pylist()[0]
    assert (last["x"], last["y"]) == (0.5, "1")


def test_rows_without_a_time_belong_to_the_day_that_names_their_file(
    by_date: ModelSpec, tmp_path: Path, spec: Spec
) -> None:
    file = tmp_path / "2026-01-02a.parquet"
    pq.write_table(rows([DAY.start, None, DAY.end]), file)
    assert read(by_date)[0]["time"].to_pylist() == [DAY.start, None]
    assert read(spec(source={"path": str(file)}))[0]["time"].to_pylist() == [DAY.start]


def test_a_truncated_file_is_named_with_its_window(by_date: ModelSpec, tmp_path: Path) -> None:
    file = tmp_path / "2026-01-02a.parquet"
    pq.write_table(rows(hours(0, 24)), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SourceError) as caught:
        read(by_date)
    assert type(caught.value) is SourceError
    parts = (str(file), str(DAY), "cannot be read as parquet", "write it whole")
    assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize("path", ["date={date}/*.parquet", "*.csv", "none/a.parquet"])
def test_no_file_or_none_of_the_window_is_no_rows(tmp_path: Path, spec: Spec, path: str) -> None:
    csv.write_csv(rows(hours(24, 30)), tmp_path / "next_day.csv")
    with pytest.raises(NoRows) as caught:
        read(spec(source={"path": str(tmp_path / path)}))
    assert [part for part in (path, str(DAY)) if part not in str(caught.value)] == []


def test_a_time_that_is_no_timestamp_is_named(tmp_path: Path, spec: Spec) -> None:
    file = tmp_path / "a.parquet"
    timeless = rows(hours()).drop_columns("time")
    pq.write_table(timeless.append_column("time", pa.array(["2026-01-02"] * 72)), file)
    with pytest.raises(SourceError, match=r"a\.parquet: column 'time' \(source\.time\) is string"):
        read(spec(source={"path": str(file)}))
    pq.write_table(timeless, file)
    with pytest.raises(SourceError, match=r"a\.parquet has no column 'time' \(source\.time\)"):
        read(spec(source={"path": str(file)}))


def test_the_digest_follows_the_rows(tmp_path: Path, spec: Spec) -> None:
    this = spec(source={"path": str(file := tmp_path / "a.parquet")})
    labels = [None if i % 3 else i % 2 for i in range(72)]
    pq.write_table(rows(hours(), y=labels), file)
    first, again = read(this)[1], read(this)[1]
    pq.write_table(rows(hours(), y=[*labels[:30], 1, *labels[31:]]), file)
    assert first == again != read(this)[1]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_no_batch_is_larger_than_the_limit(tmp_path: Path, spec: Spec, kind: str) -> None:
    table = rows([DAY.start] * 300_000)
    path = str(tmp_path / f"a.{kind}")
    (csv.write_csv if kind == "csv" else pq.write_table)(table, path)
    sizes = [batch.num_rows for batch in batches(spec(source={"path": path}), DAY)]
    assert (sum(sizes), max(sizes) <= BATCH_ROWS == 32_768) == (300_000, True)


@pytest.fixture(params=["sqlite", "postgresql"])
def table(
    request: pytest.FixtureRequest, tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ModelSpec]]:
    """Return what makes a table of the hours around the window, anew, and its spec."""
    url = POSTGRES if request.param == "postgresql" else f"sqlite:///{tmp_path / 'rows.db'}"
    engine, name = sa.create_engine(url), f"gatelatch_test_{os.getpid()}"
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        pytest.skip(f"no PostgreSQL at {url}; start one: {DOCKER} postgres:17")
    monkeypatch.setenv("ROWS_URL", url)

    def make(time: sa.types.TypeEngine[Any], x: float = 0.5) -> ModelSpec:
        kinds = {"time": time, "id": sa.Integer, "x": sa.Numeric, "z": sa.Float, "y": sa.Integer}
        made = sa.Table(name, sa.MetaData(), *(sa.Column(*item) for item in kinds.items()))
        made.drop(engine, checkfirst=True)
        made.create(engine)
        zone = UTC if getattr(time, "timezone", False) else None
        times = enumerate(moment.replace(tzinfo=zone) for moment in hours())
        values = [{"time": t, "id": i, "x": x, "z": 1.0} for i, t in times]
        if isinstance(time, sa.DateTime):
            with engine.begin() as link:
                link.execute(made.insert(), values[::-1])
        return spec(source={"path": None, "table": name, "database": "ROWS_URL"})

    yield make
    with engine.begin() as link:
        link.execute(sa.text(f"drop table if exists {name}"))
    engine.dispose()


@pytest.mark.parametrize("timezone", [True, False])
def test_a_table_is_read_half_open_in_the_order_of_time(
    table: Callable[..., ModelSpec], timezone: bool
) -> None:
    found = read(table(sa.DateTime(timezone=timezone)))[0].select(["id", "x"])
    assert found.to_pydict() == {"id": list(range(24, 48)), "x": [0.5] * 24}


def test_the_digest_follows_the_rows_of_a_table(table: Callable[..., ModelSpec]) -> None:
    first = read(table(sa.DateTime()))[1]
    assert read(table(sa.DateTime()))[1] == first != read(table(sa.DateTime(), x=0.25))[1]


def test_a_table_that_cannot_be_read_is_named(table: Callable[..., ModelSpec]) -> None:
    numbers = table(sa.Integer())
    with pytest.raises(SourceError, match=r"gatelatch_test_.*: column 'time' .* is INTEGER"):
        read(numbers)
    absent = numbers.source.model_copy(update={"table": "absent"})
    with pytest.raises(SourceError, match="table absent is not in the database of ROWS_URL"):
        read(numbers.model_copy(update={"source": absent}))


@pytest.mark.parametrize("dictionary", [True, False])
def test_a_text_that_is_no_utf_8_is_a_broken_file_and_its_bytes_are_not_quoted(
    by_date: ModelSpec, tmp_path: Path, dictionary: bool
) -> None:
    file = tmp_path / "2026-01-02a.parquet"
    keys = [f"zanzibar{n}" for n in range(24)]
    how: Any = {"use_dictionary": dictionary, "compression": "none", "write_statistics": False}
    pq.write_table(rows(hours(0, 24), id=keys), file, **how)
    file.write_bytes(file.read_bytes().replace(b"zanzibar7", b"zanzi\xff\xfe7"))
    with pytest.raises(SourceError, match=r"cannot be read as parquet") as told:
        read(by_date)
    assert "zanzi" not in str(told.value)

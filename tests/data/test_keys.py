"""Keys of every type name their rows, exactly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tasks.classifier.training_rows import gather
from tasks.data.keys import repeated_keys
from tasks.data.plain import as_texts, matching, plain
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.checked_window import judge_window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
BIG = 7401000000000000000  # beyond what a float64 tells apart

KINDS: dict[str, Callable[[list[int]], pa.Array]] = {
    "UUID": lambda n: pa.array([UUID(int=BIG + i).bytes for i in n], pa.uuid()),
    "16 bytes": lambda n: pa.array([UUID(int=BIG + i).bytes for i in n], pa.binary(16)),
    "bytes": lambda n: pa.array([f"key {i}".encode() for i in n], pa.binary()),
    "dictionary": lambda n: pa.array([f"key {i}" for i in n]).dictionary_encode(),
    "long text": lambda n: pa.array([f"key {i}" for i in n], pa.large_string()),
    "integer": lambda n: pa.array([BIG + i for i in n]),
    "unsigned": lambda n: pa.array([2**63 + i for i in n], pa.uint64()),
    "decimal": lambda n: pa.array([Decimal(BIG * 1000 + i) for i in n], pa.decimal128(38, 0)),
    "wide decimal": lambda n: pa.array([Decimal(10**50 + i) for i in n], pa.decimal256(60, 0)),
    "fraction": lambda n: pa.array([Decimal(i) / 8 for i in n], pa.decimal128(30, 5)),
    "float": lambda n: pa.array([i / 8 for i in n], pa.float32()),
    "half float": lambda n: pa.array(np.array(n, np.float16)),
    "day": lambda n: pa.array([date(2000, 1, 1) + timedelta(days=i) for i in n]),
    "time of day": lambda n: pa.array([time(i // 60, i % 60) for i in n]),
    "moment": lambda n: pa.array([BIG // 8 + i for i in n]).cast(pa.timestamp("ns", "UTC")),
    "duration": lambda n: pa.array([timedelta(seconds=i) for i in n]),
}
COUNT = 200


def verdict(spec: ModelSpec) -> tuple[int, int, str | None]:
    again = repeated_keys(lambda: batches(spec, DAY, [spec.source.key]))
    bad: list[pa.Table] = []
    parts: Any = {"repeated": again, "constants": {}, "quarantine": bad.append}
    found = judge_window(spec, DAY, batches(spec, DAY), **parts)
    return found.accepted, found.quarantined, found.problem


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_keys_of_every_type_of_arrow_are_told_apart_and_repeats_found(
    tmp_path: Path, spec: Spec, name: str, shuffled: bool
) -> None:
    numbers = list(range(COUNT))
    if shuffled:
        numbers = np.random.default_rng(0).permutation(numbers).tolist()
    this = spec(source={"path": f"{tmp_path}/a.parquet"})
    for repeats in (0, 3):
        n = numbers + numbers[:repeats]
        times = [DAY.start + timedelta(days=1) * i / len(n) for i in range(len(n))]
        table = {"time": times, "id": KINDS[name](n), "x": np.ones(len(n)), "z": np.ones(len(n))}
        pq.write_table(
            pa.table({**table, "y": [0, 1] * (len(n) // 2) + [0] * (len(n) % 2)}),
            tmp_path / "a.parquet",
        )
        assert verdict(this) == (COUNT, repeats, None)
    facts = gather(this, batches(this, DAY)).facts
    assert facts.key is not None
    assert len(set(facts.key.tolist())) == COUNT


def test_two_values_of_a_boolean_key_are_two_rows(tmp_path: Path, spec: Spec) -> None:
    table = {"time": [DAY.start] * 3, "id": [True, False, True], "x": [1.0] * 3, "z": [1.0] * 3}
    pq.write_table(pa.table({**table, "y": [0] * 3}), tmp_path / "a.parquet")
    again = repeated_keys(
        lambda: batches(spec(source={"path": f"{tmp_path}/a.parquet"}), DAY, ["id"])
    )
    assert again.to_pylist() == [True]


def test_a_key_of_parts_is_named(tmp_path: Path, spec: Spec) -> None:
    parts = [{"a": i} for i in range(3)]
    table = {"time": [DAY.start] * 3, "id": parts, "x": [1.0] * 3, "z": [1.0] * 3, "y": [0] * 3}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    problem = verdict(spec(source={"path": f"{tmp_path}/a.parquet"}))[2]
    assert "column 'id': one plain type" in str(problem)


COLUMNS: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "numeric(20)": (sa.Numeric(20, 0), lambda i: Decimal(BIG + i)),
    "numeric": (sa.Numeric(38, 4), lambda i: Decimal(i) / 4),
    "bigint": (sa.BigInteger(), lambda i: BIG + i),
    "uuid": (sa.Uuid(), lambda i: UUID(int=i)),
    "text": (sa.Text(), lambda i: f"{i:05}"),
    "date": (sa.Date(), lambda i: date(2000, 1, 1) + timedelta(days=i)),
    "timestamp": (sa.DateTime(), lambda i: datetime(2000, 1, 1) + timedelta(microseconds=i)),
    "bytes": (sa.LargeBinary(), lambda i: f"k{i}".encode()),
    "double": (sa.Double(), lambda i: i / 8),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[sa.Engine]:
    url = POSTGRES if request.param == "postgresql" else f"sqlite:///{tmp_path / 'rows.db'}"
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        pytest.skip(f"no PostgreSQL at {url}")
    monkeypatch.setenv("ROWS", url)
    yield engine
    with engine.begin() as link:
        link.execute(sa.text(f"drop table if exists {_name()}"))
    engine.dispose()


def _name() -> str:
    return f"gatelatch_keys_{os.getpid()}"


@pytest.mark.filterwarnings("ignore:Dialect sqlite\\+pysqlite does \\*not\\* support Decimal")
@pytest.mark.parametrize("name", COLUMNS)
def test_keys_of_every_type_of_a_database_are_told_apart(
    database: sa.Engine, spec: Spec, name: str
) -> None:
    kind, key = COLUMNS[name]
    if name == "numeric(20)" and database.dialect.name == "sqlite":
        key = lambda i: BIG + i  # noqa: E731 - SQLAlchemy would bind a float
    columns = {"time": sa.DateTime, "id": kind, "x": sa.Float, "z": sa.Float, "y": sa.Integer}
    table = sa.Table(_name(), sa.MetaData(), *(sa.Column(*item) for item in columns.items()))
    table.drop(database, checkfirst=True)
    table.create(database)
    insert = table.insert()
    if name == "numeric(20)":
        insert = sa.text(f"insert into {_name()} values (:time, :id, :x, :z, :y)")  # type: ignore[assignment]
    rows = [
        {"time": (DAY.start + timedelta(minutes=i)).replace(tzinfo=None), "id": key(i)}
        | {"x": 1.0, "z": 1.0, "y": 1}
        for i in range(800)
    ]
    if name == "numeric(20)":
        rows = [row | {"time": f"{row['time']:%Y-%m-%d %H:%M:%S}"} for row in rows]
    with database.begin() as link:
        link.execute(insert, rows)
    source = {"path": None, "table": _name(), "database": "ROWS"}
    assert verdict(spec(source=source)) == (800, 0, None)


def test_values_that_mean_the_same_have_one_text() -> None:
    for seven in (
        pa.array([7], pa.int8()),
        pa.array([7.0]),
        pa.array([Decimal("7.00")], pa.decimal128(9, 2)),
        pa.array(["7"]).dictionary_encode(),
    ):
        assert as_texts(seven).to_pylist() == ["7"]
    assert plain(pa.array([None, b"\x00\xff"])).to_pylist() == [None, "00ff"]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["7", "007", "7.0", "x", None], pa.int64(), [7, None, None, None, None]),
        ([2**53 + 1, 3], pa.float64(), [None, 3.0]),
        ([1.5, 2.0], pa.int64(), [None, 2]),
        ([7, None], pa.string(), ["7", None]),
        (["2026-01-02", "x"], pa.timestamp("us"), [datetime(2026, 1, 2), None]),
    ],
)
def test_a_value_matches_only_what_is_the_same(values: Any, kind: Any, expected: Any) -> None:
    assert matching(pa.array(values), kind).to_pylist() == expected

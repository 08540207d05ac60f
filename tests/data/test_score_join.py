"""Scores are joined to their rows on the key, whatever its type, the order and the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.digest import Digest
from tasks.data.readers import SourceError
from tasks.data.score_places import place_of
from tasks.data.window_rows import batches
from tasks.scoring.score_sinks import sink_of
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import database_in_postgres

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=1))
COUNT = 70_000  # of several batches

Spec = Callable[..., ModelSpec]


@pytest.fixture(params=["files", "sqlite", "psycopg", "psycopg2"])
def wired(
    request: pytest.FixtureRequest, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelSpec]:
    monkeypatch.chdir(tmp_path)
    source = {"path": "rows.parquet", "margin": "f", "version_column": "v"}
    if request.param == "files":
        yield spec(source=source, scoring={"path": str(tmp_path / "scores")})
        return
    table = spec(source=source, scoring={"table": "scores", "database": "SCORES"})
    if request.param == "sqlite":
        monkeypatch.setenv("SCORES", f"sqlite:///{tmp_path / 'scores.db'}")
        yield table
        return
    with database_in_postgres("scores", request.param) as url:
        monkeypatch.setenv("SCORES", url)
        yield table


def land(keys: Any, **columns: Any) -> None:
    count = len(keys)
    times = [START + timedelta(seconds=i * 86_000 / count) for i in range(count)]
    rows = {"time": times, "id": keys, "x": np.arange(count, dtype=float), "z": np.ones(count)}
    pq.write_table(pa.table({**rows, "y": np.ones(count, int), **columns}), "rows.parquet")


def write(spec: ModelSpec, promotion: int = 1, **columns: Any) -> None:
    scores = pa.table(columns)
    with sink_of(spec, WINDOW, promotion, scores.schema, again=True) as sink:
        sink.write(scores.slice(0, 1))
        sink.write(scores.slice(1))
        sink.seal("{}")


def read(spec: ModelSpec, digest: Digest | None = None) -> pa.Table:
    return pa.Table.from_batches(list(batches(spec, WINDOW, digest=digest)))


KEYS: dict[str, Callable[[int], Any]] = {
    "text": lambda i: f'key, "{i}"\n' if i else "",
    "number": lambda i: i - 7,
    "large": lambda i: 2**64 - 1 - i,
    "fraction": lambda i: i / 7,
    "moment": lambda i: START + timedelta(microseconds=i),
    "local": lambda i: datetime(2026, 3, 29, 2) + timedelta(microseconds=i),
    "day": lambda i: (START + timedelta(days=i)).date(),
    "decimal": lambda i: Decimal(i) / 100,
    "uuid": lambda i: UUID(int=i).bytes,
}


@pytest.mark.parametrize("kind", KEYS)
def test_each_row_gets_its_own_score_whatever_the_order_of_the_file(
    wired: ModelSpec, kind: str
) -> None:
    count = 5_000
    rng = np.random.default_rng(0)
    large = pa.uint64() if kind == "large" else None
    keys = pa.array([KEYS[kind](i) for i in rng.permutation(count).tolist()], large)
    order = rng.permutation(count)
    land(keys)
    plain = next(iter(batches(wired.unscored, WINDOW, ["id"]))).column("id")
    assert len(plain) == count
    scored = keys.take(pa.array(order[: count // 2]))
    write(wired, id=scored, f=order[: count // 2] / 7, v=pa.array([3] * len(scored), pa.int32()))
    there = read(wired)
    assert there.column_names == list(wired.columns)
    margin = there.column("f").to_pylist()
    half = set(order[: count // 2].tolist())
    assert margin == [i / 7 if i in half else None for i in range(count)]
    assert there.column("v").to_pylist() == [3 if i in half else None for i in range(count)]


def test_many_rows_are_joined_batch_by_batch(wired: ModelSpec) -> None:
    land(np.arange(COUNT))
    write(wired, id=np.arange(COUNT)[::-1], f=-np.arange(COUNT)[::-1], v=np.ones(COUNT, np.int32))
    assert read(wired).column("f").to_pylist() == (-np.arange(COUNT)).tolist()


def test_without_scores_the_columns_are_there_and_empty(wired: ModelSpec) -> None:
    land(["a", "b"])
    assert place_of(wired).newest_scores(wired, WINDOW) is None
    there = read(wired)
    assert there.column("f").null_count == there.column("v").null_count == 2
    write(
        wired,
        id=pa.array([], pa.string()),
        f=pa.array([], pa.float64()),
        v=pa.array([], pa.int32()),
    )
    assert read(wired).column("f").null_count == 2


def test_the_scores_of_the_latest_promotion_are_read(wired: ModelSpec) -> None:
    land(["a"])
    for promotion in (2, 10, 9):
        write(wired, promotion, id=["a"], f=[float(promotion)], v=pa.array([1], pa.int32()))
    assert read(wired).column("f").to_pylist() == [10.0]


def test_new_scores_are_another_digest(wired: ModelSpec) -> None:
    land(["a", "b"])
    digests = set()
    for value in (None, 1.0, 2.0):
        if value is not None:
            write(wired, id=["a"], f=[value], v=pa.array([1], pa.int32()))
        digest = Digest()
        read(wired, digest)
        digests.add(str(digest))
    assert len(digests) == 3


def test_a_key_with_two_scores_and_a_file_without_the_column_are_named(wired: ModelSpec) -> None:
    land(["a", "b"])
    write(wired, id=["a", "a"], f=[1.0, 1.0], v=pa.array([1, 1], pa.int32()))
    with pytest.raises(SourceError, match=r"1 key\(s\) .* have several scores; remove these"):
        read(wired)
    if wired.scoring and wired.scoring.kind == "path":  # a table is held when it is written
        write(wired, id=["a"], margin=[1.0], v=pa.array([1], pa.int32()))
        with pytest.raises(SourceError, match="has no column 'f': the spec named its columns oth"):
            read(wired)


def test_scores_are_joined_beside_labels_that_have_a_source_of_their_own(
    wired: ModelSpec,
) -> None:
    label = {"column": "y", "classes": [0, 1], "source": {"path": "labels.parquet"}}
    both = ModelSpec.model_validate(
        {**wired.model_dump(mode="json", exclude_none=True), "label": label}
    )
    land(["a", "b", "c"])
    pq.write_table(pa.table({"id": ["c", "a"], "y": [1, 0]}), "labels.parquet")
    write(both, id=["b", "a"], f=[2.0, 1.0], v=pa.array([1, 1], pa.int32()))
    there = read(both)
    assert there.column("y").to_pylist() == [0, None, 1]
    assert there.column("f").to_pylist() == [1.0, 2.0, None]

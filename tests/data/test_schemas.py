"""Files of one window that type a column differently are one table, by what the types mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.classifier.training_rows import gather
from tasks.data.digest import Digest
from tasks.data.keys import repeated_keys
from tasks.data.window_rows import batches
from tasks.replay import past_rows
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.checked_window import judge_window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
HOURS = [DAY.start + timedelta(hours=h) for h in range(24)]
UTC_TIMES = pa.timestamp("us", "UTC")
WORDS = ["7", "8", "9"] * 8
NUMBERS = [int(word) for word in WORDS]

ALIKE: dict[str, tuple[str, list[Any]]] = {
    "categories": (
        "shop",
        [
            pa.array(WORDS),
            pa.array(WORDS).dictionary_encode(),
            pa.array(WORDS, pa.large_string()),
            pa.array(WORDS, pa.string_view()),
            pa.array(NUMBERS, pa.int8()),
            pa.array(NUMBERS, pa.float64()),
            pa.array([Decimal(n) for n in NUMBERS], pa.decimal128(9, 2)),
        ],
    ),
    "numbers": (
        "x",
        [
            pa.array(NUMBERS, pa.int16()),
            pa.array(NUMBERS, pa.uint64()),
            pa.array(NUMBERS, pa.float32()),
            pa.array(NUMBERS, pa.decimal128(20, 3)),
        ],
    ),
    "numbers and booleans": ("x", [pa.array([0, 1] * 12), pa.array([False, True] * 12)]),
    "times": (
        "time",
        [
            pa.array(HOURS, UTC_TIMES),
            pa.array(HOURS, pa.timestamp("ms", "Europe/Berlin")),
            pa.array(HOURS, pa.timestamp("ns", "Asia/Tokyo")),
            pa.array([h.replace(tzinfo=None) for h in HOURS], pa.timestamp("s")),
        ],
    ),
    "labels": (
        "y",
        [
            pa.array([0, 1] * 12),
            pa.array([False, True] * 12),
            pa.array([0.0, 1.0] * 12),
            pa.array(["0", "1"] * 12),
            pa.array(["False", "True"] * 12).dictionary_encode(),
        ],
    ),
    "keys": (
        "id",
        [
            pa.array(range(24)),
            pa.array(range(24), pa.uint8()),
            pa.array([str(i) for i in range(24)]),
            pa.array([str(i) for i in range(24)]).dictionary_encode(),
            pa.array([Decimal(i) for i in range(24)], pa.decimal128(20, 0)),
        ],
    ),
}


def land(folder: Path, name: str, **columns: Any) -> None:
    plain = {"time": pa.array(HOURS, UTC_TIMES), "id": range(24), "x": np.linspace(0, 1, 24)}
    table = {**plain, "shop": WORDS, "y": [0, 1] * 12, **columns}
    pq.write_table(pa.table(table), folder / f"{name}.parquet")


@pytest.fixture
def here(tmp_path: Path, spec: Spec) -> ModelSpec:
    return spec(
        source={"path": f"{tmp_path}/*.parquet"},
        features={"numeric": ["x"], "categorical": ["shop"]},
        window={"min_rows": 1},
    )


def pairs() -> list[Any]:
    found = []
    for name, (column, kinds) in ALIKE.items():
        for one in range(len(kinds)):
            for other in range(len(kinds)):
                if one != other:
                    label = f"{name}: {kinds[one].type}, {kinds[other].type}"
                    found.append(pytest.param(column, kinds[one], kinds[other], id=label))
    return found


@pytest.mark.parametrize(("column", "one", "other"), pairs())
def test_what_means_the_same_in_two_files_is_one_column(
    here: ModelSpec, tmp_path: Path, column: str, one: Any, other: Any
) -> None:
    more = {} if column == "id" else {"id": pa.array(range(24, 48))}
    land(tmp_path, "a", **{column: one})
    land(tmp_path, "b", **more | {column: other})
    found = list(batches(here, DAY))
    assert len({batch.schema for batch in found}) == 1
    again = repeated_keys(lambda: batches(here, DAY, ["id"]))
    assert len(again) == (24 if column == "id" else 0)
    parts: Any = {"repeated": again, "constants": {}, "quarantine": lambda rows: None}
    loose = here.model_copy(
        update={"validation": here.validation.model_copy(update={"max_quarantined": 1})}
    )
    verdict = judge_window(loose, DAY, found, **parts)
    assert (verdict.problem, verdict.accepted) == (None, 48 - len(again))
    gathered = gather(here, found)
    frame, label = gathered.frame, gathered.label
    assert sorted(frame["shop"].unique()) == ["7", "8", "9"]
    assert np.bincount(label).tolist() == [24, 24]
    past = past_rows.load_history(loose, DAY.start, DAY.end)
    assert len(past.frame) == 48


def test_numbers_of_two_types_keep_their_values(here: ModelSpec, tmp_path: Path) -> None:
    for column, kinds in (ALIKE["numbers"], ALIKE["numbers and booleans"]):
        expected = kinds[0].cast(pa.float64()).to_pylist()
        for number, kind in enumerate(kinds):
            land(tmp_path, f"{number}", **{column: kind})
        table = pa.Table.from_batches(list(batches(here, DAY)))
        assert table["x"].to_pylist() == expected * len(kinds)
        for file in tmp_path.iterdir():
            file.unlink()


EMPTY: dict[str, Callable[[pa.Table], pa.Table]] = {
    "no rows": lambda table: table.slice(0, 0),
    "no rows, as pandas types them": lambda table: pa.Table.from_pandas(
        table.slice(0, 0).to_pandas().astype(object)
    ),
    "no rows and columns": lambda table: pa.table({}),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_file_beside_a_full_one_changes_nothing(
    here: ModelSpec, tmp_path: Path, name: str
) -> None:
    land(tmp_path, "b")
    digests = []
    for _ in range(2):
        digest = Digest()
        alone = pa.Table.from_batches(list(batches(here, DAY, digest=digest)))
        assert alone.num_rows == 24
        digests.append(str(digest))
        pq.write_table(EMPTY[name](pq.read_table(tmp_path / "b.parquet")), tmp_path / "a.parquet")
    assert digests[0] == digests[1]


@pytest.mark.parametrize("column", ["x", "shop", "y", "id"])
def test_a_column_without_any_value_takes_the_type_of_the_others(
    here: ModelSpec, tmp_path: Path, column: str
) -> None:
    land(tmp_path, "a", **{"id": pa.array(range(24, 48)), column: pa.nulls(24)})
    land(tmp_path, "b")
    found = list(batches(here, DAY))
    assert len({batch.schema for batch in found}) == 1
    assert sum(batch.column(column).null_count for batch in found) == 24


def test_a_file_of_another_time_has_no_say(here: ModelSpec, tmp_path: Path) -> None:
    land(tmp_path, "a")
    before = [batch.schema for batch in batches(here, DAY)]
    later = [hour + timedelta(days=9) for hour in HOURS]
    land(tmp_path, "b", x=NUMBERS, time=pa.array(later, UTC_TIMES))
    assert [batch.schema for batch in batches(here, DAY)] == before


def test_a_digest_is_of_the_rows_as_each_file_has_them(here: ModelSpec, tmp_path: Path) -> None:
    """Digests of before types were made alike still hold: they name observations."""
    land(tmp_path, "a", x=NUMBERS)
    land(tmp_path, "b", x=np.ones(24), id=pa.array(range(24, 48)))
    digest, plain = Digest(), Digest()
    list(batches(here, DAY, digest=digest))
    names = list(here.columns)
    files = [pq.read_table(tmp_path / f"{f}.parquet").select(names) for f in ("a", "b")]
    list(plain.tap(b for file in files for b in file.combine_chunks().to_batches()))
    assert str(digest) == str(plain)

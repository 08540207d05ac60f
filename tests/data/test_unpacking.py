"""Files whose rows unpack to gigabytes end in a named verdict, in bounded memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.classifier.training import TrainingError
from tasks.classifier.training_rows import gather
from tasks.cli.draft import drafted
from tasks.data import memory, unpacking
from tasks.data.readers import SourceError
from tasks.data.unpacking import BATCH_BYTES, VALUE_BYTES, TooLarge, bounded, unpacked_bytes
from tasks.data.window_rows import batches
from tasks.replay.past_rows import load_history
from tasks.spec.model import ModelSpec
from tests.conftest import POSTGRES
from tests.support.flow import day, window
from tests.support.peak import measured

MB = 1 << 20
_CHECK = """
import duckdb, great_expectations, tasks.validation.checked_window
from tasks.spec.model import ModelSpec
from tasks.validation import checked_rows
from tests.conftest import POSTGRES
from tests.support.flow import window
before = peak()
found = checked_rows.check_rows(ModelSpec.model_validate_json({raw!r}), window(1), dict())
print(json.dumps([found.problem, peak() - before]))
"""

Spec = Callable[..., ModelSpec]


def rows(count: int, **columns: Any) -> pa.Table:
    """Return rows of the first day, honest but for the columns that are given."""
    rng = np.random.default_rng(0)
    start, step = np.datetime64("2026-01-01T00:00:00", "us"), 86_400_000_000 // count
    plain = {
        "time": pa.array(start + np.arange(count) * step),
        "id": pa.array(np.arange(count)),
        "x": pa.array(rng.normal(size=count)),
        "z": pa.array(rng.normal(size=count)),
        "y": pa.array(rng.integers(0, 2, count)),
    }
    return pa.table({**plain, **columns})


def repeated(values: list[str], count: int) -> pa.DictionaryArray:
    places = pa.array(np.arange(count) % len(values), pa.int32())
    return pa.DictionaryArray.from_arrays(places, pa.array(values, pa.large_string()))


def in_a_dictionary(path: Path) -> None:
    table = rows(4000, text=repeated(["a" * MB], 4000))
    pq.write_table(table, path, store_schema=False, compression="zstd")


def categories_of_pandas(path: Path) -> None:
    pq.write_table(rows(4000, text=repeated(["a" * MB], 4000)), path, compression="zstd")


def compressed_pages(path: Path) -> None:
    table = rows(700, text=pa.array(["a" * MB] * 700))
    pq.write_table(table, path, use_dictionary=False, compression="zstd")


def shared_beginnings(path: Path) -> None:
    table = rows(1500, text=pa.array(["b" * MB] * 1500))
    pq.write_table(table, path, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})


def one_huge_value(path: Path) -> None:
    texts = ["short"] * 999 + ["a" * (300 * MB)]
    pq.write_table(rows(1000, text=pa.array(texts)), path, compression="zstd")


def long_keys(path: Path) -> None:
    keys = repeated(["a" * MB + last for last in "123"], 3000)
    pq.write_table(rows(3000, id=keys), path, store_schema=False, compression="zstd")


def lists(path: Path) -> None:
    ends = pa.array([0] + [30_000_000] * 300, pa.int32())
    nested = pa.ListArray.from_arrays(ends, pa.array(np.zeros(30_000_000)))
    pq.write_table(rows(300, x=nested), path, compression="zstd")


def too_many_columns(path: Path) -> None:
    wide = {f"column_{'x' * 60}_{n}": pa.array([0, 1], pa.int8()) for n in range(60_000)}
    pq.write_table(rows(2, **wide), path)


PARQUET = (
    in_a_dictionary,
    categories_of_pandas,
    compressed_pages,
    shared_beginnings,
    one_huge_value,
    long_keys,
    lists,
    too_many_columns,
)


@pytest.mark.parametrize("bomb", PARQUET)
def test_a_parquet_file_that_unpacks_to_gigabytes_is_named_in_bounded_memory(
    bomb: Callable[[Path], None], spec: Spec, tmp_path: Path
) -> None:
    bomb(tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 30 * MB
    texts = "text" in pq.read_schema(tmp_path / "bomb.parquet").names
    problem, taken = checked(tmp_path, spec, {"path": "bomb.parquet"}, texts)
    assert ("column 'id'" if bomb is long_keys else "bomb.parquet") in problem
    assert "write" in problem
    assert taken < 500


def checked(
    folder: Path, spec: Spec, source: dict[str, Any], texts: bool, **environment: str
) -> tuple[str, int]:
    """Return the problem of the first day's rows, and the MB that their validation took."""
    (folder / "tmp").mkdir()
    made = spec(source={"path": None, **source}, features={"text": ["text"] if texts else []})
    code = _CHECK.format(raw=made.model_dump_json(exclude_defaults=True))
    stores = {"GATELATCH_STORE": str(folder / "store"), "TMPDIR": str(folder / "tmp")}
    problem, taken = measured(code, folder, **stores, **environment)
    assert [*(folder / "tmp").iterdir()] == []
    return problem, taken


HEADER = b"time,id,x,z,y,text\n"
CSV = {
    "a line without end": (HEADER, b"a" * MB, 1500),
    "a quote that is never closed": (HEADER + b'2026-01-01T00:00:00,1,1,1,1,"', b"a\n" * MB, 800),
    "a million columns": (HEADER[:-1] + b",c" * 1_000_000, b"\n", 1),
}


@pytest.mark.parametrize("case", CSV)
def test_a_csv_that_unpacks_to_gigabytes_is_named_in_bounded_memory(
    case: str, spec: Spec, tmp_path: Path
) -> None:
    head, part, count = CSV[case]
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(count):
            file.write(part)
    problem, taken = checked(tmp_path, spec, {"path": "bomb.csv.gz"}, texts=True)
    assert "bomb.csv.gz cannot be read as csv" in problem
    assert taken < 500


def in_postgresql(name: str, length: int, count: int) -> None:
    run(
        f"create table {name} as select timestamp '2026-01-01' + n * interval '1 second' "
        f"as time, n as id, 0.5 as x, 0.5 as z, mod(n, 2) as y, repeat('a', {length}) as text "
        f"from generate_series(1, {count}) n"
    )


def run(statement: str) -> None:
    engine = sa.create_engine(POSTGRES, poolclass=sa.NullPool)
    with engine.begin() as link:
        link.exec_driver_sql(statement)


@pytest.fixture
def table() -> Iterator[str]:
    name = f"bomb_{uuid4().hex}"
    yield name
    run(f"drop table if exists {name}")


def test_rows_of_a_table_are_fetched_in_bounded_memory_and_too_long_values_are_named(
    spec: Spec, tmp_path: Path, table: str
) -> None:
    in_postgresql(table, length=MB, count=400)
    source = {"table": table, "database": "BOMBS"}
    problem, taken = checked(tmp_path, spec, source, texts=True, BOMBS=POSTGRES)
    assert "stale" in problem  # judged as any other rows
    assert taken < 500
    run(f"update {table} set text = repeat('a', {VALUE_BYTES + 1}) where id = 7")
    (tmp_path / "tmp").rmdir()
    problem, taken = checked(tmp_path, spec, source, texts=True, BOMBS=POSTGRES)
    assert f"{table}: a value of column 'text' takes more than 16 MB; write it shorter" in problem
    assert taken < 300


def test_a_bomb_among_labels_is_named(spec: Spec, tmp_path: Path) -> None:
    pq.write_table(rows(1000).drop(["y"]), tmp_path / "rows.parquet")
    labels = {"id": pa.array(np.arange(4000)), "y": repeated(["a" * MB], 4000)}
    pq.write_table(pa.table(labels), tmp_path / "labels.parquet", store_schema=False)
    made = spec(
        source={"path": str(tmp_path / "rows.parquet")},
        label={"source": {"path": str(tmp_path / "labels.parquet")}, "delay": "1d"},
    )
    with pytest.raises(SourceError, match=r"labels\.parquet: its [\d,]+ bytes unpack to more than"):
        for _ in batches(made, window(1)):
            pass


def test_rows_that_training_and_replay_cannot_hold_are_refused_before_they_are_held(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(rows(20_000), tmp_path / "rows.parquet")
    made = spec(source={"path": str(tmp_path / "rows.parquet")})
    assert len(gather(made, batches(made, window(1)))) == 20_000
    monkeypatch.setattr(memory, "limit", lambda: 2 * MB)
    with pytest.raises(TrainingError, match="more than the memory of this machine or container"):
        gather(made, batches(made, window(1)))
    with pytest.raises(SourceError, match="narrow --from and --to, or give it more memory"):
        load_history(made, day(1), day(2))
    with pytest.raises(SourceError, match="take fewer of them, or give it more memory"):
        drafted(str(tmp_path / "rows.parquet"), "time", "y", "1d")


def test_the_memory_that_a_process_may_take_is_the_least_of_its_limits() -> None:
    told = measured(
        """
from tasks.data import memory
before = memory.limit()
resource.setrlimit(resource.RLIMIT_AS, (before // 2, before // 2))
print(json.dumps([before, memory.limit()]))
""",
        Path.cwd(),
    )
    assert told[0] > told[1] == told[0] // 2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.text(max_size=30), max_size=40), max_size=8),
    st.integers(1, 200),
    st.integers(1, 40),
)
def test_however_small_batches_must_be_the_rows_are_the_same(
    parts: list[list[str]], most_bytes: int, most_rows: int
) -> None:
    given_ = [pa.record_batch({"text": pa.array(part, pa.string())}) for part in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unpacking, "BATCH_BYTES", most_bytes)
        patch.setattr(unpacking, "BATCH_ROWS", most_rows)
        found = list(bounded(given_, 0))
    assert [text for batch in found for text in batch["text"].to_pylist()] == [
        text for part in parts for text in part
    ]
    for batch in found:
        assert batch.num_rows == 1 or unpacked_bytes(batch) <= most_bytes + 4 * 30 * 40


def test_a_batch_counts_as_what_it_takes_without_its_dictionaries() -> None:
    texts = repeated(["a" * 1000, "b"], 1000)
    assert unpacked_bytes(pa.record_batch({"text": texts})) == 500 * 1000 + 500
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary()):
        plain = pa.array(["a" * 1000, None, "b"], pa.string()).cast(kind)
        assert unpacked_bytes(pa.record_batch({"text": plain})) == 1001
    with pytest.raises(TooLarge, match="a value of column 'text' takes more than 16 MB"):
        unpacked_bytes(pa.record_batch({"text": pa.array(["a" * (VALUE_BYTES + 1)])}))


def test_honest_files_are_read_in_as_large_batches_as_ever(spec: Spec, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    words = [f"word{n:05}" * 20 for n in range(20_000)]  # more than a dictionary page holds
    texts = [words[n] for n in rng.integers(0, len(words), 100_000)]
    table = rows(100_000, text=pa.array(texts), plan=repeated(["basic", "gold"], 100_000))
    pq.write_table(table, tmp_path / "rows.parquet")
    made = spec(
        source={"path": str(tmp_path / "rows.parquet")},
        features={"text": ["text"], "categorical": ["plan"]},
    )
    read = list(batches(made, window(1)))
    assert [batch.num_rows for batch in read] == [32_768, 32_768, 32_768, 1696]
    assert pa.Table.from_batches(read).column("text").to_pylist() == texts


def test_wide_rows_are_read_in_batches_that_fit(spec: Spec, tmp_path: Path) -> None:
    wide = {f"n{n}": pa.array(np.zeros(20_000)) for n in range(1000)}
    pq.write_table(rows(20_000, **wide), tmp_path / "rows.parquet")
    made = spec(source={"path": str(tmp_path / "rows.parquet")}, features={"numeric": ["x", *wide]})
    read = list(batches(made, window(1)))
    assert max(batch.nbytes for batch in read) <= 1.05 * BATCH_BYTES
    assert sum(batch.num_rows for batch in read) == 20_000

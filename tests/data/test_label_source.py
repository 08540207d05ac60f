"""Labels from a source of their own: real files and databases, joined by real DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data import label_join
from tasks.data.digest import Digest
from tasks.data.keys import repeated_keys
from tasks.data.readers import SourceChanged, SourceError
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.validation.checked_window import judge_window
from tests.support.labelled import DAY, Spec, label, land, read

SECRET = "key-of-a-person"


def digest(spec: ModelSpec) -> str:
    found = Digest()
    for _ in found.tap(batches(spec, DAY)):
        pass
    return str(found)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_labels_are_joined_to_their_rows_and_the_others_stay_unlabelled(
    late: Spec, kind: str
) -> None:
    land([3, 1, 2, 4])
    label(f"labels/a.{kind}", [4, 9, 1], [1, 1, 0])
    label(f"labels/b.{kind}", [3, 2], [1, None])
    found = read(late())
    assert found.column_names == [*late().columns]
    assert found["id"].to_pylist() == [3, 1, 2, 4]
    assert found["y"].to_pylist() == [1, 0, None, 1]


def test_the_columns_of_key_and_label_may_have_names_of_their_own(late: Spec) -> None:
    land([1, 2], y=[1, 1])
    label("labels/a.parquet", [1], [0], key="row", column="truth")
    assert read(late(key="row", column="truth"))["y"].to_pylist() == [0, None]


def test_a_label_table_is_joined_as_files_are(late: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELS", "sqlite:///labels.db")
    land([3, 1, 2])
    table = sa.Table(
        "outcome", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("y", sa.Float)
    )
    engine = sa.create_engine("sqlite:///labels.db")
    spec = late(table="outcome", database="LABELS")
    with pytest.raises(SourceError, match=r"table outcome is not .* correct label\.source\.table"):
        read(spec)
    table.create(engine)
    assert read(spec)["y"].to_pylist() == [None] * 3
    with engine.begin() as link:
        link.execute(table.insert(), [{"id": i, "y": y} for i, y in [(1, 1), (7, 0), (3, None)]])
    engine.dispose()
    assert read(spec)["y"].to_pylist() == [None, 1, None]
    with pytest.raises(SourceError, match=r"table outcome has no column 'row' \(label.source.key"):
        read(late(table="outcome", database="LABELS", key="row"))
    monkeypatch.delenv("LABELS")
    with pytest.raises(SourceError, match=r"label\.source\.database: .* LABELS is not set"):
        read(spec)


def test_files_by_date_are_read_from_the_start_of_the_window_to_its_end_and_the_delay(
    late: Spec,
) -> None:
    land([1, 2, 3, 4])
    for day, key in [(1, 1), (2, 2), (5, 3), (6, 4)]:
        label(f"labels/2026-01-0{day}.parquet", [key], [1])
    spec = late(delay="2d", path="labels/{date}.parquet")
    assert read(spec)["y"].to_pylist() == [None, 1, 1, None]


@pytest.mark.parametrize("classes", [[0, 1], ["no", "yes"]])
def test_without_a_label_file_all_rows_are_unlabelled(late: Spec, classes: list[Any]) -> None:
    land([1, 2])
    assert read(late(classes))["y"].to_pylist() == [None, None]
    assert read(late(classes, path="labels/{date}.csv"))["y"].to_pylist() == [None, None]
    label("labels/a.parquet", [1, 5], pa.array([None, None], pa.null()))
    assert read(late(classes))["y"].to_pylist() == [None, None]


def test_equal_labels_of_a_key_are_one(late: Spec) -> None:
    land([1, 2])
    label("labels/a.parquet", [1, 1, 2, 2], [1, 1, None, 0])
    label("labels/b.parquet", [1], [1.0])
    assert read(late())["y"].to_pylist() == [1, 0]


def test_different_labels_of_a_key_are_counted_and_not_shown(late: Spec) -> None:
    land([SECRET, "b", "c"])
    label("labels/a.parquet", [SECRET, SECRET, "b", "d", "d"], [0, 1, 1, 0, 1])
    label("labels/b.parquet", ["b", "c"], [0, 0])
    with pytest.raises(
        SourceError, match=r"labels/\*: 2 key\(s\) of .* different labels"
    ) as caught:
        read(late())
    assert "leave one label per key" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_contradictions_about_other_windows_do_not_matter(late: Spec) -> None:
    land([1])
    label("labels/a.parquet", [1, 7, 7], [1, 0, 1])
    assert read(late())["y"].to_pylist() == [1]


BROKEN: dict[str, tuple[Callable[[], None], str]] = {
    "no key": (
        lambda: label("labels/a.parquet", [1], [1], key="row"),
        r"a\.parquet has no column 'id' \(label\.source\.key\); it has: \['row', 'y'\]",
    ),
    "no label": (
        lambda: label("labels/a.csv", [1], [1], column="truth"),
        r"a\.csv has no column 'y' \(label\.source\.column\); it has: \['id', 'truth'\]",
    ),
    "truncated": (
        lambda: Path("labels/a.parquet").write_bytes(Path("r").read_bytes()[:200]),
        r"a\.parquet cannot be read as parquet .* write it whole",
    ),
    "no class": (
        lambda: label("labels/a.parquet", [1], [DAY.start]),
        r"a\.parquet: column 'y' \(label\.source\.column\) is timestamp.* texts or numbers",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_label_source_is_named(late: Spec, name: str) -> None:
    land([1, 2])
    Path("labels").mkdir()
    make, reason = BROKEN[name]
    make()
    with pytest.raises(SourceError, match=reason):
        read(late())


def test_the_digest_follows_the_labels_of_the_window_alone(late: Spec) -> None:
    land([1, 2, 3])
    before = digest(late())
    label("labels/a.parquet", [7, 8], [0, 1])
    assert digest(late()) == before
    label("labels/b.parquet", [3, 1], [0, 1])
    labelled = digest(late())
    assert labelled != before
    label("labels/b.parquet", [1, 7, 3, 3], [1.0, 1, 0, 0])
    assert digest(late()) == labelled
    label("labels/b.parquet", [1, 3], [1, 1])
    assert digest(late()) not in (before, labelled)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    keys=st.lists(st.none() | st.integers(0, 30), min_size=1, max_size=60),
    known=st.dictionaries(st.integers(0, 40), st.sampled_from([0, 1, 7])),
    cuts=st.lists(st.integers(1, 20), min_size=1),
    order=st.randoms(use_true_random=False),
)
def test_a_join_is_a_look_up_of_each_key(
    late: Spec, keys: list[int | None], known: dict[int, int], cuts: list[int], order: Any
) -> None:
    found = [*known] * 2
    order.shuffle(found)
    answers = pa.array([known[key] for key in found], pa.int64())
    label("labels/a.parquet", pa.array(found, pa.int64()), answers)
    column = pa.record_batch([pa.array(keys, pa.int64())], names=["id"])

    def stream(sizes: list[int]) -> Iterator[pa.RecordBatch]:
        first = 0
        while first < len(keys):
            yield column.slice(first, sizes[0])
            first, sizes = first + sizes[0], sizes[1:] or [50]

    joined = list(label_join.join(late(), DAY, stream(cuts), stream(cuts[::-1])))
    assert [b.num_rows for b in joined] == [b.num_rows for b in stream(cuts)]
    assert [y for b in joined for y in b["y"].to_pylist()] == [
        None if k is None else known.get(k) for k in keys
    ]


def test_many_labels_are_joined_batch_by_batch(late: Spec) -> None:
    count = 300_000
    keys = np.random.default_rng(0).permutation(2 * count)
    land(keys[:count])
    label("labels/a.parquet", np.arange(2 * count), np.arange(2 * count) % 2)
    found = list(batches(late(), DAY))
    assert len(found) > 2
    for batch in found:
        assert (batch["y"].to_numpy() == batch["id"].to_numpy() % 2).all()


def test_rows_that_change_between_two_readings_are_not_labelled(late: Spec) -> None:
    label("labels/a.parquet", [1, 2], [1, 0])
    rows, keys = (pa.record_batch([k], names=["id"]) for k in ([1, 2], [2, 1]))
    for other in (keys, rows.slice(1), rows.slice(0, 1)):
        with pytest.raises(SourceChanged, match="changed while they were read; run it again"):
            list(label_join.join(late(), DAY, iter([rows]), iter([other])))


def test_a_source_without_its_key_is_still_named_by_validation(late: Spec) -> None:
    land([1, 2])
    pq.write_table(pq.read_table("r").drop_columns("id"), "r")
    label("labels/a.parquet", [1], [1])
    spec = late()
    assert len(repeated_keys(lambda: batches(spec, DAY, ["id"]))) == 0
    parts: Any = {"repeated": pa.nulls(0), "constants": {}, "quarantine": print}
    verdict = judge_window(spec, DAY, batches(spec, DAY), **parts)
    assert "expect_column_to_exist on column 'id'" in str(verdict.problem)

"""Labels from a source of their own: real files and databases, joined by real DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data import label_join
from tasks.data.digest import Digest
from tasks.data.frame import class_indices
from tasks.data.keys import repeated_keys
from tasks.data.readers import SourceChanged, SourceError
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.checked_window import judge_window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
SECRET = "key-of-a-person"


def land(keys: Any, **columns: Any) -> None:
    """Write the window's rows, at equal times apart, without a label."""
    n = len(keys)
    times = [DAY.start + i * timedelta(days=1) / n for i in range(n)]
    table = {"time": pa.array(times, pa.timestamp("us", "UTC")), "id": keys}
    pq.write_table(pa.table({**table, "x": np.linspace(0, 1, n), "z": [1.0] * n, **columns}), "r")


def label(name: str, keys: Any, labels: Any, key: str = "id", column: str = "y") -> None:
    table = pa.table({key: keys, column: labels})
    Path(name).parent.mkdir(exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(table, name)
    else:
        with pa.output_stream(name) as sink:
            csv.write_csv(table, sink)


@pytest.fixture
def late(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Return a spec of rows in `r` and labels in `labels/`; keywords are parts of `label`."""
    monkeypatch.chdir(tmp_path)

    def make(classes: list[Any] | None = None, delay: str = "0d", **source: Any) -> ModelSpec:
        place = {"path": "labels/*"} if "table" not in source else {}
        label = {"classes": classes or [0, 1], "delay": delay, "source": {**place, **source}}
        return spec(source={"path": "r"}, label=label)

    return make


def read(spec: ModelSpec, window: Window = DAY) -> pa.Table:
    return pa.Table.from_batches(list(batches(spec, window)))


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


KEYS: dict[str, tuple[Any, Any]] = {
    "texts": (["a", "b"], pa.array(["b"], pa.large_string())),
    "dictionaries": (pa.array(["a", "b"]).dictionary_encode(), ["b"]),
    "dictionary labels": (["a", "b"], pa.array(["b"]).dictionary_encode()),
    "widths": (pa.array([1, 2], pa.int16()), pa.array([2], pa.uint32())),
    "too wide": (pa.array([1, 2], pa.int8()), pa.array([2, 10**12])),
    "days": (pa.array([1, 2], pa.date32()), pa.array([2], pa.date32())),
    "zones": (
        pa.array([1, 2], pa.timestamp("ms", "UTC")),
        pa.array([2_000_000], pa.timestamp("ns", "Asia/Tokyo")),
    ),
    "without a zone": (pa.array([1, 2], pa.timestamp("us", "UTC")), pa.array([2], "timestamp[us]")),
    "floats": ([float("nan"), 2.0], [2.0, float("nan")]),
    "a missing key": ([None, 2], [None, 2]),
    "texts of numbers": ([1, 2], ["1x", "2"]),
    "numbers of texts": (["02", "2"], [2]),
    "zeros before a number": ([7, 2], ["07", "2"]),
    "decimals": (pa.array([1, 2], pa.decimal128(20, 0)), [2]),
    "UUIDs": (pa.array([bytes(16), b"k" * 16], pa.uuid()), [str(UUID(bytes=b"k" * 16))]),
    "bytes": ([b"a", b"b"], [b"b"]),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_may_be_of_any_plain_type(late: Spec, name: str) -> None:
    rows, labels = KEYS[name]
    land(rows)
    label("labels/a.parquet", labels, [1] * len(labels))
    assert read(late())["y"].to_pylist() == [None, 1]


def test_a_text_key_in_a_csv_is_joined_as_it_stands(late: Spec) -> None:
    land(["007", "7"])
    label("labels/a.csv", ["007"], [1])
    Path("labels/b.csv").write_text("id,y\n7,0\n")
    assert read(late())["y"].to_pylist() == [1, 0]


def test_a_class_that_is_a_text_of_digits_is_read_as_it_stands(late: Spec) -> None:
    land([1, 2, 3])
    Path("labels").mkdir()
    Path("labels/a.csv").write_text("id,y\n1,01\n2,\n3,1\n")
    assert read(late(["01", "1"]))["y"].to_pylist() == ["01", None, "1"]


@pytest.mark.parametrize(
    ("rows", "labels"),
    [([1], [1.0]), ([1], pa.array([1], "timestamp[us]")), (["1"], [{"key": 1}])],
)
def test_keys_of_unlike_types_are_named(late: Spec, rows: Any, labels: Any) -> None:
    land(rows)
    label("labels/a.parquet", labels, [1] * len(labels))
    with pytest.raises(SourceError, match=r"a\.parquet: column 'id' \(label\.source\.key\) is "):
        read(late())


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


WRITTEN: dict[str, tuple[list[Any], list[Any]]] = {
    "whole numbers": ([0, 1], [0, 1, None]),
    "numbers with a gap": ([0, 1], [0.0, 1.0, None]),
    "booleans": ([0, 1], [False, True, None]),
    "texts of numbers": ([0, 1], ["0", "1.0", ""]),
    "words of Python": ([0, 1], ["False", "True", None]),
    "quoted booleans": (["false", "true"], [False, True, None]),
    "quoted words": (["False", "True"], ["false", "TRUE", None]),
    "yes and no": (["no", "yes"], [False, True, None]),
    "quoted numbers": (["0", "1"], [0, 1, None]),
    "leading zeros": (["01", "02"], ["01", "02", ""]),
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "table"])
@pytest.mark.parametrize("name", WRITTEN)
def test_a_label_means_its_class_however_a_source_writes_it(
    late: Spec, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    classes, written = WRITTEN[name]
    land(["a", "b", "c"])
    spec = late(classes, table="outcome", database="LABELS") if kind == "table" else late(classes)
    if kind == "table":
        monkeypatch.setenv("LABELS", "sqlite:///labels.db")
        types = {bool: sa.Boolean, int: sa.Integer, float: sa.Float, str: sa.Text}
        columns = sa.Column("id", sa.Text), sa.Column("y", types[type(written[0])])
        table = sa.Table("outcome", sa.MetaData(), *columns)
        engine = sa.create_engine("sqlite:///labels.db")
        table.create(engine)
        with engine.begin() as link:
            pairs = zip(["a", "b", "c"], written, strict=True)
            link.execute(table.insert(), [{"id": i, "y": y} for i, y in pairs])
        engine.dispose()
    else:
        label(f"labels/a.{kind}", ["a", "b", "c"], written)
    (batch,) = batches(spec, DAY)
    assert class_indices(spec, batch).tolist() == [0, 1, -1]


def test_label_files_may_have_types_of_their_own(late: Spec) -> None:
    land(["a", "b", "c", "7"])
    label("labels/a.parquet", ["a"], [1])
    label("labels/b.parquet", ["b"], ["0"])
    label("labels/c.csv", ["c"], [True])
    label("labels/d.parquet", [7], [1.0])
    assert read(late())["y"].to_pylist() == [1, 0, 1, 1]


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


def test_a_label_outside_the_classes_is_quarantined_and_an_empty_one_is_not(late: Spec) -> None:
    land(list(range(200)))
    label("labels/a.parquet", list(range(100)), ["yes", "no", "perhaps", ""] * 25)
    spec = late(["no", "yes"])
    bad: list[pa.Table] = []
    parts: Any = {"repeated": pa.nulls(0), "constants": {}, "quarantine": bad.append}
    verdict = judge_window(spec, DAY, batches(spec, DAY), **parts)
    assert (verdict.quarantined, bad[0]["y"].unique().to_pylist()) == (25, ["perhaps"])

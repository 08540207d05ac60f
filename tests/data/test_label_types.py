"""Keys and labels mean the same, whatever types the rows and the label source give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tasks.data.frame import class_indices
from tasks.data.readers import SourceError
from tasks.data.window_rows import batches
from tasks.validation.checked_window import judge_window
from tests.support.labelled import DAY, Spec, label, land, read

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


def test_a_label_outside_the_classes_is_quarantined_and_an_empty_one_is_not(late: Spec) -> None:
    land(list(range(200)))
    label("labels/a.parquet", list(range(100)), ["yes", "no", "perhaps", ""] * 25)
    spec = late(["no", "yes"])
    bad: list[pa.Table] = []
    parts: Any = {"repeated": pa.nulls(0), "constants": {}, "quarantine": bad.append}
    verdict = judge_window(spec, DAY, batches(spec, DAY), **parts)
    assert (verdict.quarantined, bad[0]["y"].unique().to_pylist()) == (25, ["perhaps"])

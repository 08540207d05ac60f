"""CSV files are read as what the spec says, whatever they hold where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.data.frame import class_indices
from tasks.data.outside import Outside
from tasks.data.readers import SourceError
from tasks.data.window_rows import batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window

Spec = Callable[..., ModelSpec]
DAY = Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
PLAIN = ["2026-01-02 00:00:00", "a", "0.5", "1"]
MEGABYTE = 30_000  # rows of `PLAIN` with a note of 20 letters


def write(path: Path, lines: list[list[str]], header: str = "time,id,x,y") -> None:
    path.write_text("\n".join([header, *(",".join(line) for line in lines)]) + "\n")


@pytest.fixture
def here(tmp_path: Path, spec: Spec) -> Spec:
    def make(**parts: Any) -> ModelSpec:
        first = {"source": {"path": f"{tmp_path}/*.csv"}, "features": {"numeric": ["x"]}}
        return spec(**first | parts)

    return make


def read(spec: ModelSpec, outside: Outside | None = None) -> pa.Table:
    return pa.Table.from_batches(list(batches(spec, DAY, outside=outside)))


@pytest.mark.parametrize("feature", ["categorical", "text"])
def test_leading_zeros_are_kept_in_every_file(here: Spec, tmp_path: Path, feature: str) -> None:
    write(tmp_path / "a.csv", [["2026-01-02", "007", "1", "02134"]], "time,id,x,zip")
    write(tmp_path / "b.csv", [["2026-01-02", "7", "1", "K1A0B1"]], "time,id,x,zip")
    found = read(here(features={"numeric": ["x"], feature: ["zip"]}))
    assert found["zip"].to_pylist() == ["02134", "K1A0B1"]
    assert found["id"].to_pylist() == ["007", "7"]


LATE = {
    "a fraction of a second": (0, "2026-01-02 00:00:00.5"),
    "a letter in a key": (1, "b"),
    "a fraction": (2, "0.25"),
    "a letter in a category": (4, "A1"),
    "a label": (3, "0"),
}


@pytest.mark.parametrize("name", LATE)
def test_what_comes_after_the_first_megabyte_changes_nothing(
    here: Spec, tmp_path: Path, name: str
) -> None:
    place, value = LATE[name]
    line = ["2026-01-02 00:00:00", "1", "1", "", "7", "n" * 20]
    last = [*line[:place], value, *line[place + 1 :]]
    write(tmp_path / "a.csv", [line] * MEGABYTE + [last], "time,id,x,y,shop,note")
    spec = here(features={"numeric": ["x"], "categorical": ["shop"]})
    one, end = (read(spec).slice(i, 1).to_pylist()[0] for i in (0, MEGABYTE))
    name = ("time", "id", "x", "y", "shop")[place]
    assert {n for n in one if one[n] != end[n]} == {name}


def test_quoted_line_ends_are_read_across_blocks(here: Spec, tmp_path: Path) -> None:
    note = '"a line\nand, ""another"" one"'
    write(tmp_path / "a.csv", [[*PLAIN, note]] * 2 * MEGABYTE, "time,id,x,y,note")
    found = read(here(features={"numeric": ["x"], "text": ["note"]}))
    assert found.num_rows == 2 * MEGABYTE
    assert found["note"].unique().to_pylist() == ['a line\nand, "another" one']


CLASSES: dict[str, tuple[list[Any], list[str]]] = {
    "numbers": ([0, 1], ["0", "1", ""]),
    "numbers with zeros": ([1, 2], ["01", "02", ""]),
    "texts with zeros": (["01", "02"], ["01", "02", ""]),
    "floats": ([0, 1], ["0.0", "1.0", " "]),
    "booleans as numbers": ([0, 1], ["False", "TRUE", ""]),
    "quoted booleans": (["false", "true"], ["False", "True", ""]),
    "of PostgreSQL": (["false", "true"], ["f", "t", ""]),
    "as they stand": (["True", "other", "False"], ["True", "other", ""]),
}


@pytest.mark.parametrize("name", CLASSES)
def test_labels_mean_classes_as_the_spec_names_them(here: Spec, tmp_path: Path, name: str) -> None:
    classes, labels = CLASSES[name]
    write(tmp_path / "a.csv", [["2026-01-02", str(i), "1", y] for i, y in enumerate(labels)])
    spec = here(label={"classes": classes})
    (batch,) = batches(spec, DAY)
    assert class_indices(spec, batch).tolist() == [0, 1, -1]


def test_a_label_that_is_no_class_is_not_taken_for_a_missing_one(
    here: Spec, tmp_path: Path
) -> None:
    write(tmp_path / "a.csv", [["2026-01-02", "a", "1", y] for y in ("7", "perhaps")])
    assert read(here())["y"].to_pylist() == ["7", "perhaps"]


def test_a_boolean_category_is_one_in_csv_and_parquet(here: Spec, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    shops = here(features={"categorical": ["shop"]})
    write(tmp_path / "a.csv", [["2026-01-02", "a", s] for s in ("True", "FALSE")], "time,id,shop")
    csv = read(shops)["shop"].to_pylist()
    table = {"time": [DAY.start] * 2, "id": ["a", "b"], "shop": [True, False]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    both = read(here(features={"categorical": ["shop"]}, source={"path": f"{tmp_path}/a.*"}))
    assert both["shop"].to_pylist() == csv * 2 == ["true", "false"] * 2


def test_a_text_among_numbers_is_missing_and_counted(here: Spec, tmp_path: Path) -> None:
    numbers = ["1e3", " 2 ", "True", "NA", "", "?", "1,5"]
    lines = [["2026-01-02", str(i), f'"{x}"', "1"] for i, x in enumerate(numbers)]
    write(tmp_path / "a.csv", lines)
    outside = Outside()
    assert read(here(), outside)["x"].to_pylist() == [1000, 2, 1, *[None] * 4]
    (told,) = outside.told
    assert told.startswith("2 values of ")
    assert "a.csv, column 'x', are no numbers" in told


@pytest.mark.parametrize("content", ["", "time,id,x,y\n"])
def test_an_empty_file_beside_a_full_one_does_not_stop_the_day(
    here: Spec, tmp_path: Path, content: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    write(tmp_path / "b.csv", [PLAIN])
    assert read(here()).num_rows == 1
    (tmp_path / "b.csv").unlink()
    with pytest.raises(SourceError, match="holds no row"):
        read(here())


BROKEN = {
    "another number of columns": (b"2026-01-02,secret,1,1,1", "has 5 columns, and the header 4"),
    "not UTF-8": (b"2026-01-02,\xff,1,1", "not UTF-8; write it as UTF-8"),
    "a quote that never closes": (b'2026-01-02,"secret,1,1' + b"\n1,2,3,4" * 400_000, "a quote"),
    "no such time": (b"02/01/2026,secret,1,1", "none of its first times"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_csv_is_said_without_its_content(
    here: Spec, tmp_path: Path, name: str
) -> None:
    line, reason = BROKEN[name]
    (tmp_path / "a.csv").write_bytes(b"time,id,x,y\n" + line + b"\n")
    with pytest.raises(SourceError, match=reason) as caught:
        read(here())
    assert "a.csv" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_expectations_beside_the_spec_say_what_their_columns_are(
    here: Spec, tmp_path: Path
) -> None:
    header = "time,id,x,y,age,since,state"
    write(tmp_path / "a.csv", [[*PLAIN, "30", "2025-01-01", "01"]], header)
    kind = "expect_column_values_to_be_between"
    wanted = [
        {"type": kind, "column": "age", "min_value": 18},
        {"type": kind, "column": "since", "min_value": datetime(2000, 1, 1)},
        {"type": "expect_column_values_to_match_regex", "column": "state", "regex": "^0"},
    ]
    (found,) = read(here(expectations=wanted)).to_pylist()
    moment = DAY.start - timedelta(days=366)
    assert (found["age"], found["since"], found["state"]) == (30.0, moment, "01")


def test_a_header_that_is_no_utf_8_is_named(here: Spec, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"time,id,\xfd,y\n" + ",".join(PLAIN).encode() + b"\n")
    with pytest.raises(SourceError, match=r"a.csv cannot be read as csv"):
        read(here())

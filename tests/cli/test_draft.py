"""Specs made on the command line: drafted from a file, changed by settings, mistakes named."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tasks.cli import draft
from tasks.spec import spec_files
from tasks.spec.part import SpecError

ROWS = 120
COLUMNS: dict[str, Any] = {
    "when": [datetime(2026, 1, 2, 5 + i // 10 % 9) for i in range(ROWS)],
    "amount": [i / 7 for i in range(ROWS)],
    "age": list(range(ROWS)),
    "member": [i % 3 == 0 for i in range(ROWS)],
    "shop": [f"shop {i % 4}" for i in range(ROWS)],
    "note": [f"note {i}" for i in range(ROWS)],
    "born": [date(1990, 1, 1)] * ROWS,
    "gone": [["yes", "no", None][i % 3] for i in range(ROWS)],
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "Churn-2026 rows.v1.parquet"
    pq.write_table(pa.table(COLUMNS), path)
    return str(path)


def test_columns_become_features_by_their_type(file: str) -> None:
    raw, guesses = draft.drafted(file, "when", "gone", "1h", ["age"])
    assert raw["model"] == "churn_2026_rows"
    assert raw["features"] == {
        "numeric": ["amount", "member"],
        "categorical": ["shop"],
        "text": ["note"],
    }
    assert raw["label"] == {"column": "gone", "classes": ["no", "yes"]}
    assert raw["window"] == {"every": "1h", "start": date(2026, 1, 2)}
    assert raw["training"] == {"window": "8h"}
    assert [(g.column, g.why) for g in guesses if g.kind == "left out"] == [
        ("age", "--ignore"),
        ("born", "no feature can be made of date32[day]"),
    ]


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([True, False], [0, 1]),
        ([1.0, 0.0], [0, 1]),
        ([2, 1], [1, 2]),
        (["b", "a"], ["a", "b"]),
        ([float("nan"), 3.0, 1.0], [1, 3]),
    ],
)
def test_the_classes_are_the_sorted_labels(
    tmp_path: Path, values: list[Any], classes: list[Any]
) -> None:
    table = pa.table({**COLUMNS, "gone": [values[i % len(values)] for i in range(ROWS)]})
    pq.write_table(table, tmp_path / "rows.parquet")
    raw, _ = draft.drafted(str(tmp_path / "rows.parquet"), "when", "gone", "1h")
    assert raw["label"]["classes"] == classes
    assert spec_files.checked(raw, "test").label.classes == tuple(classes)


def test_a_csv_and_several_files_are_read_as_well(tmp_path: Path) -> None:
    columns = {k: v for k, v in COLUMNS.items() if k != "born"}
    for part in ("a", "b"):
        pa.csv.write_csv(pa.table(columns), tmp_path / f"{part}.csv")
    for path in (tmp_path / "a.csv", tmp_path / "*.csv"):
        raw, _ = draft.drafted(str(path), "when", "gone", "1h")
        assert raw["features"] == {
            "numeric": ["amount", "member"],
            "categorical": ["shop"],
            "text": ["note"],
        }


WRONG = {
    "--time then: ": ("then", "gone", "1h"),
    "it is date32[day], not a timestamp": ("born", "gone", "1h"),
    "--label amount: 120 distinct values": ("when", "amount", "1h"),
    "--window 1 day: write a whole number and a unit": ("when", "gone", "1 day"),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_column_or_length_that_cannot_be_used_is_named(file: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        draft.drafted(file, *WRONG[message])


def test_what_a_column_is_may_be_said(file: str) -> None:
    said = dict(map(draft.taken, ["age=numeric", "shop=text", "member=categorical"]))
    raw, guesses = draft.drafted(file, "when", "gone", "1h", given=said)
    assert raw["features"] == {
        "numeric": ["amount", "age"],
        "categorical": ["member"],
        "text": ["shop", "note"],
    }
    assert {g.column for g in guesses if g.why == "--as"} == set(said)
    for wrong in ("age", "age=number", "=text"):
        with pytest.raises(SpecError, match=re.escape(f"--as {wrong}: write COLUMN=KIND")):
            draft.taken(wrong)
    with pytest.raises(SpecError, match="--as then: "):
        draft.drafted(file, "when", "gone", "1h", given={"then": "text"})


def test_a_file_without_a_feature_says_of_each_column_why(file: str) -> None:
    ignored = ["amount", "member", "shop", "note"]
    with pytest.raises(SpecError, match=r"no column is a feature \(.*age: whole numbers that rise"):
        draft.drafted(file, "when", "gone", "1h", ignored)


def test_a_csv_whose_later_rows_are_of_another_type_is_named_without_its_values(
    tmp_path: Path,
) -> None:
    lines = [f"2026-01-01T00:00:{i % 60:02},{i % 7},{i % 2}" for i in range(200_000)]
    text = "\n".join(["when,age,gone", *lines, "2026-01-02T00:00:00,1,secret"])
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(SpecError, match="column gone: not all of it is int64") as caught:
        draft.drafted(str(tmp_path / "rows.csv"), "when", "gone", "1h")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["absent.parquet", "broken.parquet", "none*.csv"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.parquet").write_text("no")
    with pytest.raises(SpecError, match="cannot be read as Parquet or CSV"):
        draft.drafted(str(tmp_path / name), "when", "gone", "1h")


def test_what_is_shown_can_be_saved_and_means_the_same(file: str, tmp_path: Path) -> None:
    raw, _ = draft.drafted(file, "when", "gone", "1h")
    raw = draft.changed(raw, {"latch.open.breaches": 3, "model": "churn"})
    (tmp_path / "churn.yaml").write_text(draft.as_yaml(raw))
    spec = spec_files.load_spec(tmp_path / "churn.yaml")
    assert spec == spec_files.checked(raw, "test")
    assert spec.latch.open.breaches == 3
    again = draft.find_written(str(tmp_path / "churn.yaml"))
    assert spec_files.checked(again, "test").digest == spec.digest


def test_every_spec_of_the_project_survives_the_round() -> None:
    for spec in spec_files.load_all()[0]:
        assert spec_files.checked(draft.find_written(spec.model), "test").digest == spec.digest


def test_settings_replace_parts_and_leave_the_rest(file: str) -> None:
    raw, _ = draft.drafted(file, "when", "gone", "1h")
    texts = ["latch.rest=2h", "gates.hinge_loss={at_most: 0.4}", "drift.ks.effect=0.2"]
    spec = spec_files.checked(draft.changed(raw, dict(map(draft.setting, texts))), "test")
    assert spec.latch.rest.total_seconds() == 7200
    assert (spec.latch.open.breaches, spec.drift.ks.effect) == (2, 0.2)
    assert spec.gates.hinge_loss is not None
    assert spec.gates.hinge_loss.at_most == 0.4
    assert "latch" not in raw


def test_a_mistake_in_a_setting_is_named_by_its_path(file: str) -> None:
    raw, _ = draft.drafted(file, "when", "gone", "1h")
    with pytest.raises(SpecError) as caught:
        spec_files.checked(
            draft.changed(raw, {"latch.opne.of": 3, "latch.open.breaches": 0}), "replay"
        )
    for words in ("replay: 2 mistake(s)", "latch.opne: unknown option; did you mean `open`?"):
        assert words in str(caught.value)
    assert "latch.open.breaches: 0: Input should be greater" in str(caught.value)
    with pytest.raises(SpecError, match=r"model\.x: `model` has no parts"):
        draft.changed(raw, {"model.x": 1})
    for text in ("latch.rest", "=3", "latch.rest={"):
        with pytest.raises(SpecError, match=re.escape(f"--set {text}: ")):
            draft.setting(text)


def test_a_sweep_is_the_grid_of_all_values() -> None:
    assert draft.grid([]) == []
    assert draft.grid(["a.b=1,2", "c=7d,{at_most: 1}"]) == [
        {"a.b": 1, "c": "7d"},
        {"a.b": 1, "c": {"at_most": 1}},
        {"a.b": 2, "c": "7d"},
        {"a.b": 2, "c": {"at_most": 1}},
    ]
    for text in ("a.b", "a.b=", "=1", "a=["):
        with pytest.raises(SpecError, match=re.escape(f"--sweep {text}: ")):
            draft.grid([text])

"""What a column is taken for: never silently words for numbers, nor a row number for a feature."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tasks.__main__ import app
from tasks.cli import draft
from tasks.data.guess import guess

ROWS = 400
RANDOM = np.random.default_rng(5)
NUMBERS = [f"{x:.3f}" for x in RANDOM.normal(size=ROWS)]
MONEY = [f"{x:,.1f}" for x in RANDOM.normal(0, 5000, ROWS)]
INDICES = [f"{i:032x}x" for i in range(ROWS)]

# of typed columns, as in Parquet: values, kind, and what is said
TYPED: dict[str, tuple[Any, str, str]] = {
    "fractions": (RANDOM.normal(size=ROWS), "numeric", "numbers"),
    "whole numbers": (RANDOM.integers(0, 9, ROWS), "numeric", "numbers"),
    "booleans": (RANDOM.random(ROWS) < 0.5, "numeric", "booleans"),
    "a counter": (range(7, 7 + ROWS), "left out", "rise from row to row"),
    "a counter with gaps": (np.arange(ROWS) * 3 + 1, "left out", "rise from row to row"),
    "a counter that falls": (range(ROWS, 0, -1), "left out", "rise from row to row"),
    "whole numbers as unlike as keys": (RANDOM.permutation(ROWS), "numeric", "if this is a key"),
    "one number": ([3] * ROWS, "left out", "same value in every row"),
    "one text": (["a"] * ROWS, "left out", "same value in every row"),
    "one boolean": ([True] * ROWS, "left out", "same value in every row"),
    "nothing": ([None] * ROWS, "left out", "always missing"),
    "blanks": ([" ", "", "NA", "-"] * (ROWS // 4), "left out", "always missing"),
    "often missing": ([1.5, None, 2.5, 3.5] * (ROWS // 4), "left out", "missing in 25 %"),
    "seldom missing": ([None, *RANDOM.normal(size=ROWS - 1)], "numeric", "missing in 1 rows"),
    "dates": ([date(2020, 1, 1 + i % 28) for i in range(ROWS)], "left out", "date32"),
    "dates as texts": ([f"2020-01-{1 + i % 28:02}" for i in range(ROWS)], "left out", "dates"),
    "times as texts": (
        [f"2020-01-{1 + i % 28:02} 07:30" for i in range(ROWS)],
        "left out",
        "dates",
    ),
    "few texts": (["a b", "c"] * (ROWS // 2), "categorical", "texts of 2 values"),
    "codes": ([f"A-{i % 90}" for i in range(ROWS)], "categorical", "texts of 90 values"),
    "digits with zeros": ([f"{i % 90:05}" for i in range(ROWS)], "categorical", "leading zeros"),
    "sentences": ([f"she said {i} words" for i in range(ROWS)], "text", "texts of 400 values"),
    "keys": (INDICES, "left out", "like a key"),
    "numbers as texts": (NUMBERS, "left out", "100 % of them look like numbers; write them"),
    "numbers and signs": (["?", *NUMBERS[1:]], "left out", "100 % of them look like numbers"),
    "grouped numbers": (MONEY, "left out", "100 % of them look like numbers; write them"),
}
# … and of those that stand in a CSV, where all are texts
WRITTEN: dict[str, tuple[Any, str, str]] = {
    "numbers": (NUMBERS, "numeric", "numbers"),
    "one question mark": (["?", *NUMBERS[1:]], "numeric", "but for 1 of 400 rows"),
    "dashes": (["-"] * 4 + NUMBERS[4:], "numeric", "but for 4 of 400 rows"),
    "blanks": (["", "NA", " ", *NUMBERS[3:]], "numeric", "but for 3 of 400 rows"),
    "words": (["abc"] * 4 + NUMBERS[4:], "numeric", "but for 4 of 400 rows"),
    "half of them words": (["abc"] * 150 + NUMBERS[150:], "left out", "like numbers"),
    "grouped numbers": (MONEY, "left out", "look like numbers; write them as plain numbers"),
    "some grouped numbers": (MONEY[:40] + NUMBERS[40:], "left out", "like numbers"),
    "digits with zeros": ([f"{i % 90:05}" for i in range(ROWS)], "categorical", "leading zeros"),
    "booleans": (["True", "false"] * (ROWS // 2), "numeric", "booleans"),
    "a counter": ([str(i) for i in range(ROWS)], "left out", "rise from row to row"),
    "one number": (["3"] * ROWS, "left out", "same value in every row"),
    "texts": (["abc", "def"] * (ROWS // 2), "categorical", "texts of 2 values"),
}


@pytest.mark.parametrize("case", TYPED)
def test_a_typed_column_is_taken_for(case: str) -> None:
    values, kind, why = TYPED[case]
    found = guess("odd", pa.chunked_array([pa.array(values)]), index=False, written=False)
    assert (found.column, found.kind) == ("odd", kind), found.why
    assert why in found.why


@pytest.mark.parametrize("case", WRITTEN)
def test_a_column_of_a_csv_is_taken_for(case: str) -> None:
    values, kind, why = WRITTEN[case]
    found = guess("odd", pa.chunked_array([pa.array(values)]), index=False, written=True)
    assert found.kind == kind, found.why
    assert why in found.why


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_the_index_of_a_frame_is_no_feature_whatever_it_holds(name: str) -> None:
    values = pa.chunked_array([pa.array(RANDOM.normal(size=ROWS))])
    assert guess(name, values, index=False, written=False).kind == "left out"
    assert guess("named", values, index=True, written=False).kind == "left out"


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    count = 40 * 30
    x, z = rng.normal(size=(2, count))
    when = pd.date_range("2026-01-05", periods=count, freq="48min")
    return pd.DataFrame({"when": when, "x": x, "z": z, "y": (x + z / 2 > 0).astype(int)})


@pytest.mark.parametrize("name", ["index.csv", "index.parquet", "named.parquet"])
def test_the_index_that_pandas_wrote_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    frame = rows()
    path = tmp_path / name
    if name == "index.csv":
        frame.to_csv(path)
    elif name == "index.parquet":
        frame[frame.x > -1].to_parquet(path)
    else:
        frame.rename_axis("customer").sample(frac=1, random_state=1).to_parquet(path)
    raw, guesses = draft.drafted(str(path), "when", "y", "7d")
    assert raw["features"] == {"numeric": ["x", "z"]}
    (left,) = (g for g in guesses if g.kind == "left out")
    assert left.why == "the row number that pandas wrote"


def test_replay_says_what_it_took_each_column_for_and_keeps_it_with_the_figures(
    tmp_path: Path,
) -> None:
    frame = rows().assign(shop=["a", "b"] * 600, const=1)
    frame.to_csv(tmp_path / "rows.csv")
    asked = [
        "replay",
        "--time",
        "when",
        "--label",
        "y",
        "--window",
        "7d",
        "--first",
        "14d",
        "--oracle",
        "0",
        "--as",
        "shop=text",
    ]
    files = ["--data", str(tmp_path / "rows.csv"), "--json", str(tmp_path / "out.json")]
    done = CliRunner().invoke(app, [*asked, *files, "--show-spec"])
    assert done.exit_code == 0, done.stderr
    for line in ("(no name)  left out", "x          numeric", "shop       text", "const      left"):
        assert line in done.stderr
    assert "--as COLUMN=numeric" in done.stderr
    assert "text: [shop]" in done.stdout
    done = CliRunner().invoke(app, [*asked[:-1], "shop=categorical", *files])
    assert done.exit_code == 0, done.stderr
    import json

    told = json.loads((tmp_path / "out.json").read_text())["columns"]
    assert {c["column"]: c["as"] for c in told} == {
        "": "left out",
        "x": "numeric",
        "z": "numeric",
        "shop": "categorical",
        "const": "left out",
    }

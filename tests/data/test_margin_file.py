"""Margins from a file, beside the rows that they are of: by their key, whatever its type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.margin_file import MarginsRefused, margins_of_rows, read_margins
from tasks.data.readers import SourceError
from tests.support.logged import LOGGED

TIMES = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(4)]
KEYS: dict[str, Any] = {
    "whole numbers": np.arange(4),
    "texts": np.array(["a", "007", "7", "ä"], dtype=object),
    "times": pd.to_datetime(TIMES).tz_convert(None).to_numpy().astype("datetime64[us]"),
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz", "m.parquet"])
def test_a_margin_finds_its_row_by_the_key_in_any_kind_of_file(
    keys: Any, name: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"id": keys, "score": [0.5, -1.0, 2.0, 1e-9]}).sample(
        frac=1, random_state=3
    )
    path = tmp_path / name
    frame.to_csv(path, index=False) if ".csv" in name else frame.to_parquet(path)
    found, more = margins_of_rows(read_margins(LOGGED, path), keys[:3], "m")
    assert found.tolist() == [0.5, -1.0, 2.0]
    assert more == 1


@given(st.permutations(range(30)), st.integers(1, 30))
def test_whatever_the_order_each_row_gets_its_own_margin(order: list[int], rows: int) -> None:
    margins = pa.table({"key": pa.array(order), "margin": pa.array(order, pa.float64())})
    found, more = margins_of_rows(margins, np.arange(rows), "m")
    assert found.tolist() == list(range(rows))
    assert more == 30 - rows


def test_a_row_without_a_margin_is_counted_and_not_quoted() -> None:
    margins = pa.table({"key": ["a"], "margin": [1.0]})
    with pytest.raises(MarginsRefused, match="2 of the 3 labelled rows have no margin") as told:
        margins_of_rows(margins, np.array(["a", "secret", "hidden"], dtype=object), "m")
    assert "secret" not in str(told.value)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    for name in ("m.parquet", "m.csv"):
        path = tmp_path / name
        path.write_bytes(b"\xff\xfe\x00" * 40)
        with pytest.raises((SourceError, MarginsRefused), match=name):
            read_margins(LOGGED, path)

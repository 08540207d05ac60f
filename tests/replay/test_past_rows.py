"""The past in memory: which rows each window holds, and what would have stopped the monitor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tasks.classifier.margins import margin
from tasks.data.readers import SourceError
from tasks.drift.loss_sums import Losses
from tasks.replay import past_rows
from tasks.replay.history import History
from tasks.spec.model import ModelSpec
from tests.support import past
from tests.support.past import HOURS, START

DAY = timedelta(days=1)


def land(folder: Path, columns: dict[str, Any], name: str = "rows.parquet") -> str:
    """Write the columns, whose `time` are microseconds since START; return the file's path."""
    since = int(START.timestamp()) * 1_000_000
    times = [None if t is None else since + int(t) for t in columns["time"]]
    ids = [f"row {i}" for i in range(len(times))]
    columns = {**columns, "time": pa.array(times, pa.timestamp("us")), "id": ids}
    path = folder / name
    (pa.csv.write_csv if name.endswith("csv") else pq.write_table)(pa.table(columns), path)
    return str(path)


def spec(path: str, **parts: Any) -> ModelSpec:
    return past.spec(source={"path": path}, **parts)


def load(one: ModelSpec, days: int = 3) -> History:
    return past_rows.load_history(one, START - DAY, START + days * DAY)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_each_window_holds_its_rows_in_order_of_time(tmp_path: Path, name: str) -> None:
    columns = past.rows(60)
    order = np.random.default_rng(1).permutation(60)
    one = spec(land(tmp_path, {k: v[order] for k, v in columns.items()}, name))
    read: list[int] = []
    found = past_rows.load_history(one, START - DAY, START + DAY, read.append)
    assert sum(read) == 60
    assert found.windows == past.past(columns).windows  # none before the first row or after
    assert found.edges.tolist() == list(range(0, 70, 10))
    assert (found.times == past.past(columns).times).all()
    assert np.allclose(found.frame["x"], columns["x"])
    assert (found.label == columns["y"]).all()
    assert found.problems == (None,) * 6


def test_rows_of_bad_content_are_left_out_and_too_many_of_them_stop_their_window(
    tmp_path: Path,
) -> None:
    columns = past.rows(30)
    columns["x"][[3, 12, 13]] = np.nan
    columns["y"][25] = 7
    found = load(spec(land(tmp_path, columns)))
    assert len(found.label) == 26
    assert np.isfinite(found.frame["x"]).all()
    assert found.problems[0] is None
    assert found.problems[1] == "2 of 10 rows are bad, at most 10 % may be"
    assert found.problems[2] is None
    assert [reason.split(": ")[0] for reason in found.quarantined] == [
        "expect_column_values_to_not_be_null on column 'x'",
        "expect_column_values_to_be_in_set on column 'y'",
    ]
    assert found.quarantined[0].endswith("3 of 30 rows fail")


def test_a_window_without_rows_or_without_new_ones_is_named(tmp_path: Path) -> None:
    columns = past.rows(50)
    hour = columns["time"] // 3_600_000_000
    kept = (hour != 1) & ((hour != 3) | (columns["time"] % 3_600_000_000 < 1_500_000_000))
    found = load(spec(land(tmp_path, {k: v[kept] for k, v in columns.items()})))
    assert found.problems[1] == "no row"
    assert found.problems[3] == "stale: no accepted row at or after 2026-01-01 03:30"
    assert [found.problems[i] for i in (0, 2, 4)] == [None] * 3


def test_an_expectation_that_most_rows_must_meet_stops_single_windows(tmp_path: Path) -> None:
    columns = past.rows(30)
    columns["x"][:10] = 0.0
    columns["x"][10:12] = 50.0
    columns["x"][20:23] = 50.0
    wanted = [
        {
            "type": "expect_column_values_to_be_between",
            "column": "x",
            "max_value": 10,
            "mostly": 0.8,
        }
    ]
    found = load(spec(land(tmp_path, columns), expectations=wanted))
    assert len(found.label) == 30
    assert found.problems[:2] == (None, None)
    assert "'x'" in str(found.problems[2])
    assert "3 of 10 rows fail" in str(found.problems[2])


def test_rows_without_a_time_belong_to_no_window(tmp_path: Path) -> None:
    columns = past.rows(20)
    times = [None, *columns["time"][1:].tolist()]
    folder = tmp_path / "2026-01-01"
    folder.mkdir()
    land(folder, {**columns, "time": times})
    found = load(spec(str(tmp_path / "{date}" / "rows.parquet")), days=1)
    assert found.edges.tolist() == [0, 9, 19]


def test_labels_are_known_for_windows_that_ended_a_delay_ago() -> None:
    columns = past.rows(60)
    columns["y"][[2, 55]] = -1
    found = past.past(columns)
    all_known = found.labelled(START, START + 6 * HOURS, timedelta(0))
    assert all_known.tolist() == [i for i in range(60) if i not in (2, 55)]
    assert found.labelled(START + HOURS, START + 5 * HOURS, 2 * HOURS).tolist() == list(
        range(10, 30)
    )
    # Half an hour into the delay, the window is still unlabelled.
    late = found.labelled(START + HOURS, START + 5 * HOURS, timedelta(minutes=90))
    assert late.tolist() == list(range(10, 30))
    assert found.labelled(START, START + HOURS, 2 * HOURS).tolist() == []


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_rates_of_windows_are_those_of_their_summaries(weighted: bool, classes: int) -> None:
    rng = np.random.default_rng(5)
    columns = past.rows(60)
    columns["y"] = rng.integers(-1, classes, 60)
    columns["y"][30:40] = -1
    found = past.past(columns)
    weight = rng.random(60) if weighted else None
    found = History(**{**vars(found), "weight": weight})
    decision = rng.normal(size=(40, 3) if classes == 3 else 40)
    rates = found.rates(decision, 2)
    assert rates.shape == (3, 4)
    for index in range(2, 6):
        rows = found.rows(index)
        label = found.label[rows]
        mine = decision[rows.start - 20 : rows.stop - 20][label >= 0]
        weights = None if weight is None else weight[rows][label >= 0]
        losses = Losses.of(margin(mine, label[label >= 0]), weights)
        if losses.rows:
            assert rates[:, index - 2] == pytest.approx(list(losses.rates.values()))
        else:
            assert np.isnan(rates[:, index - 2]).all()


def test_a_range_without_a_window_or_a_source_without_a_row_says_so(tmp_path: Path) -> None:
    one = spec(land(tmp_path, past.rows(20)))
    with pytest.raises(SourceError, match="no whole window of 1h lies in"):
        past_rows.load_history(one, START, START + HOURS / 2)
    with pytest.raises(SourceError, match="holds no row"):
        past_rows.load_history(one, START + 90 * DAY, START + 91 * DAY)


def test_a_source_without_a_column_says_which(tmp_path: Path) -> None:
    columns = past.rows(20)
    del columns["z"]
    with pytest.raises(SourceError, match="'z'"):
        load(spec(land(tmp_path, columns)))


def test_windows_are_found_by_their_start() -> None:
    found = past.past(past.rows(60))
    assert found.first_at(START - DAY) == 0
    assert found.first_at(START + 2 * HOURS) == 2
    assert found.first_at(START + 2 * HOURS + timedelta(microseconds=1)) == 3
    assert found.first_at(datetime(2027, 1, 1, tzinfo=UTC)) == 6


def test_a_row_of_1970_is_left_out_and_said_and_makes_no_windows(tmp_path: Path) -> None:
    columns = past.rows(300)
    far = -int(START.timestamp()) * 1_000_000
    columns = {name: np.append(values, values[:1]) for name, values in columns.items()}
    columns["time"][-1] = far
    one = spec(land(tmp_path, columns), window={"start": "1970-01-01"})
    found = past_rows.load_history(one, datetime(1970, 1, 1, tzinfo=UTC), START + 30 * DAY)
    alone = {name: values[:-1] for name, values in columns.items()}
    expected = load(spec(land(tmp_path, alone)), days=30)
    assert found.windows == expected.windows
    assert (found.edges == expected.edges).all()
    (told,) = found.remarks
    assert told.startswith("1 rows stand alone, far before ")
    assert expected.remarks == ()


def test_rows_before_the_first_window_are_told(tmp_path: Path) -> None:
    columns = past.rows(60)
    late = spec(land(tmp_path, columns), window={"start": START + 2 * HOURS})
    found = past_rows.load_history(late, late.window.start, START + DAY)
    (told,) = found.remarks
    assert "are in no window: they lie before the first window" in told
    assert int(told.partition(" ")[0]) + len(found.label) == 60


@pytest.mark.parametrize("column", ["x", "w"])
def test_numbers_that_no_quantity_reaches_are_left_out_by_name(tmp_path: Path, column: str) -> None:
    columns = {**past.rows(30), "w": np.ones(30)}
    columns[column][[3, 12]] = 1e150, 1e200
    found = load(past.spec(source={"path": land(tmp_path, columns), "weight": "w"}))
    assert len(found.label) == 28
    (reason,) = found.quarantined
    assert f"column {column!r}: finite, within ±1e+100" in reason
    assert reason.endswith("2 of 30 rows fail")
    assert "1e+150" not in reason


def test_one_huge_loss_leaves_the_rates_of_later_windows_their_digits() -> None:
    found = past.past(past.rows(60))
    margins = np.random.default_rng(1).normal(size=60)
    decision = np.where(found.label == 1, margins, -margins)
    calm = found.rates(decision, 0)
    decision[3] = -1e140 if found.label[3] else 1e140
    huge = found.rates(decision, 0)
    assert huge[1, 0] == pytest.approx(1e139)
    np.testing.assert_array_equal(huge[:, 1:], calm[:, 1:])
    decision[3] = np.nan
    assert np.isfinite(found.rates(decision, 0)).all()


def test_rows_that_span_more_windows_than_can_be_played_are_named_with_the_way_out(
    tmp_path: Path,
) -> None:
    columns = past.rows(300)
    columns["time"][150:] += 80 * 86_400_000_000  # half of them, so that none stands alone
    one = spec(land(tmp_path, columns), window={"every": "1m"})
    with pytest.raises(SourceError, match=r"windows of 1m; take a range of 100000 at most"):
        past_rows.load_history(one, START, START + 100 * DAY)

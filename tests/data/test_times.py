"""Times as files and databases hold them: each row in exactly one window, or counted outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data.outside import Outside
from tasks.data.readers import SourceError
from tasks.data.times import from_texts
from tasks.data.window_rows import NoRows, batches
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window, window_at, windows_between

Spec = Callable[..., ModelSpec]
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = Window(START + timedelta(days=5), START + timedelta(days=6))
BERLIN = {"timezone": "Europe/Berlin"}


def table(times: Any) -> pa.Table:
    n = len(times)
    return pa.table({"time": times, "id": list(range(n)), "x": [0.5] * n, "z": [0.5] * n})


def read(spec: ModelSpec, window: Window, outside: Outside | None = None) -> list[datetime]:
    try:
        found = pa.Table.from_batches(list(batches(spec, window, outside=outside)))
    except NoRows:
        return []
    times = found["time"].cast(pa.timestamp("us")).to_pylist()
    return [moment and moment.replace(tzinfo=UTC) for moment in times]


ISO = {
    "2026-01-06": (6, 0, 0),
    "2026-01-06 10:30": (6, 10, 0),
    "2026-01-06T10:30:00": (6, 10, 0),
    "2026-01-06 10:30:00.250": (6, 10, 250_000),
    "2026-01-06 10:30:00.123456789": (6, 10, 123_456),
    "2026-01-06T10:30:00Z": (6, 10, 0),
    "2026-01-06 10:30:00 UTC": (6, 10, 0),
    "2026-01-06 12:30:00+02": (6, 10, 0),
    "2026-01-06 12:30:00 +02:00": (6, 10, 0),
    " 2026-01-06 10:30 ": (6, 10, 0),
}
NO_TIMES = ["01/06/2026", "20260106", "1767700000", "2026-13-06", "2026-01-06 10:30 secret", "x"]


@pytest.mark.parametrize("alone", [True, False])
def test_every_common_way_to_write_a_time_is_read(alone: bool) -> None:
    texts = [*ISO] if alone else [*ISO, *NO_TIMES, None, ""]
    expected = [
        START.replace(day=day, hour=hour, minute=30 if hour else 0, microsecond=fraction)
        for day, hour, fraction in ISO.values()
    ]
    read = [[text] for text in texts] if alone else [texts]
    found = [from_texts(pa.array(part, pa.string()), "UTC") for part in read]
    assert [m for part, _ in found for m in part.to_pylist()][: len(ISO)] == expected
    assert sum(wrong for _, wrong in found) == (0 if alone else len(NO_TIMES))


def test_local_times_need_a_zone_where_days_do_not_begin_in_utc(tmp_path: Path, spec: Spec) -> None:
    pq.write_table(table([datetime(2026, 1, 6, h) for h in range(24)]), tmp_path / "a.parquet")
    csv.write_csv(pq.read_table(tmp_path / "a.parquet"), tmp_path / "a.csv")
    for kind in ("csv", "parquet"):
        source = {"path": f"{tmp_path}/a.{kind}"}
        for zone, hours in [("Europe/Berlin", 24), ("UTC", 23), (None, None)]:
            this = spec(source=source | {"timezone": zone}, window=BERLIN)
            window = window_at(this.window, DAY.start)
            if hours is None:
                with pytest.raises(SourceError, match=r"no zone, .* set source\.timezone to E"):
                    read(this, window)
            else:
                assert len(read(this, window)) == hours


def test_a_wrong_zone_of_files_by_day_is_said_with_the_hours_it_loses(
    tmp_path: Path, spec: Spec
) -> None:
    for day in (5, 6, 7):
        times = [datetime(2026, 1, day, h) for h in range(24)]
        pq.write_table(table(times), tmp_path / f"2026-01-0{day}.parquet")
    path = f"{tmp_path}/{{date}}.parquet"
    wrong = spec(source={"path": path, "timezone": "UTC"}, window={"timezone": "America/New_York"})
    outside = Outside()
    found = read(wrong, window_at(wrong.window, DAY.start + timedelta(hours=12)), outside)
    assert len(found) == 19
    (told,) = outside.told
    assert told.startswith("5 rows of ")
    assert "2026-01-06.parquet are in no window" in told
    assert "source.timezone" in told


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_hour_that_the_clock_shows_twice_or_skips_is_in_one_window(
    tmp_path: Path, spec: Spec, kind: str
) -> None:
    times = [datetime(2026, 10, 25, 2, 30), datetime(2026, 3, 29, 2, 30)]
    (csv.write_csv if kind == "csv" else pq.write_table)(table(times), f"{tmp_path}/a.{kind}")
    source = {"path": f"{tmp_path}/a.{kind}", "timezone": "Europe/Berlin"}
    this = spec(source=source, window={"every": "1h", **BERLIN})
    found = [
        moment
        for day in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC))
        for window in windows_between(this.window, day, day + timedelta(hours=6))
        for moment in read(this, window)
    ]
    assert found == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_day_is_its_midnight(tmp_path: Path, spec: Spec, kind: str) -> None:
    days = [date(2026, 1, d) for d in range(4, 9)]
    (csv.write_csv if kind == "csv" else pq.write_table)(table(days), f"{tmp_path}/a.{kind}")
    source = {"path": f"{tmp_path}/a.{kind}"}
    assert read(spec(source=source), DAY) == [DAY.start]
    there = spec(source=source | {"timezone": "Europe/Berlin"}, window=BERLIN)
    assert read(there, window_at(there.window, DAY.start)) == [DAY.start - timedelta(hours=1)]


moments = st.none() | st.datetimes(datetime(2025, 12, 30), datetime(2026, 1, 12))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    landed=st.dictionaries(st.integers(1, 8), st.lists(moments, max_size=12), max_size=4),
    every=st.sampled_from(["1h", "12h", "1d", "2d", "7d", "36h"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    kind=st.sampled_from(["csv", "parquet", "small groups", "mixed"]),
    dated=st.booleans(),
)
def test_rows_of_all_windows_and_those_outside_add_up_to_the_rows_landed(
    tmp_path: Path, spec: Spec, landed: Any, every: str, zone: str, kind: str, dated: bool
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    for number, (day, times) in enumerate(landed.items()):
        as_csv = kind == "csv" or (kind == "mixed" and number % 2)
        file = tmp_path / f"2026-01-{day:02}.{'csv' if as_csv else 'parquet'}"
        rows = table(pa.array(times, pa.timestamp("us")))
        if as_csv:
            csv.write_csv(rows, file)
        else:
            pq.write_table(rows, file, row_group_size=3 if kind == "small groups" else None)
    path = f"{tmp_path}/{{date}}.*" if dated else f"{tmp_path}/*"
    this = spec(
        source={"path": path, "timezone": zone},
        window={"every": every, "timezone": zone, "end": "2026-01-09"},
    )
    outside: dict[Any, int] = {}
    inside = 0
    for window in windows_between(this.window, this.window.start, this.window.end):
        said = Outside()
        inside += len(read(this, window, said))
        for place, count in said._rows.items():
            # Of a place without days, what has no time is told in each window.
            outside[place] = count if not dated else outside.get(place, 0) + count
    # A file of the last day is read by no window if the last whole one ends before.
    last = window_at(this.window, this.window.end).start.astimezone(ZoneInfo(zone))
    unread = [
        len(times)
        for day, times in landed.items()
        if dated and datetime(2026, 1, day, tzinfo=ZoneInfo(zone)) >= last
    ]
    assert inside + sum(outside.values()) + sum(unread) == sum(map(len, landed.values()))


def test_rows_without_a_time_are_in_the_window_in_which_the_day_of_their_file_begins(
    tmp_path: Path, spec: Spec
) -> None:
    times = pa.array([DAY.start, None, DAY.start + timedelta(hours=5)], pa.timestamp("us", "UTC"))
    pq.write_table(table(times), tmp_path / "2026-01-06.parquet")
    hourly = spec(source={"path": f"{tmp_path}/{{date}}.parquet"}, window={"every": "1h"})
    found = [read(hourly, w) for w in windows_between(hourly.window, DAY.start, DAY.end)]
    assert found[0] == [DAY.start, None]
    assert [len(times) for times in found[1:]] == [0] * 4 + [1] + [0] * 18


def test_rows_before_the_first_and_after_the_last_window_are_told_in_these(
    tmp_path: Path, spec: Spec
) -> None:
    far = [
        datetime(1970, 1, 1),
        datetime(2026, 1, 1, 5),
        datetime(2026, 1, 6),
        datetime(9999, 1, 1),
    ]
    pq.write_table(table([*far, None]), tmp_path / "a.parquet")
    this = spec(source={"path": f"{tmp_path}/a.parquet"}, window={"end": "2026-01-07T12:00"})
    told = []
    for window in windows_between(this.window, this.window.start, this.window.end):
        outside = Outside()
        read(this, window, outside)
        told.append([line.partition(" rows")[0] + line[-40:] for line in outside.told])
    assert [len(lines) for lines in told] == [2, 1, 1, 1, 1, 2]


def sqlite(path: Path, times: list[Any], kind: str = "timestamp") -> None:
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as link:
        link.execute(f"create table rows (time {kind}, id integer, x real, z real, y integer)")
        rows = [(time, number) for number, time in enumerate(times)]
        link.executemany("insert into rows values (?, ?, .5, .5, 1)", rows)
    link.close()


@pytest.fixture
def in_sqlite(tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("ROWS", f"sqlite:///{tmp_path / 'rows.db'}")

    def make(times: list[Any], kind: str = "timestamp", **window: Any) -> ModelSpec:
        sqlite(tmp_path / "rows.db", times, kind)
        source = {"path": None, "table": "rows", "database": "ROWS"}
        return spec(source=source, window=window)

    return make


FORMS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ"]


@pytest.mark.parametrize("kind", ["timestamp", "datetime", "text", ""])
@pytest.mark.parametrize("form", [*FORMS, "mixed"])
def test_times_that_sqlite_keeps_as_texts_are_read_in_their_window(
    in_sqlite: Callable[..., ModelSpec], form: str, kind: str
) -> None:
    hours = [DAY.start + timedelta(hours=h) for h in range(-30, 50)]
    forms = FORMS if form == "mixed" else [form]
    this = in_sqlite([h.strftime(forms[i % len(forms)]) for i, h in enumerate(hours)], kind)
    assert sorted(read(this, DAY)) == hours[30:54]
    hour = Window(DAY.start + timedelta(hours=10), DAY.start + timedelta(hours=11))
    assert read(this, hour) == [hour.start]


def test_texts_in_sqlite_that_are_no_times_are_counted_and_not_shown(
    in_sqlite: Callable[..., ModelSpec],
) -> None:
    this = in_sqlite(["2026-01-06 10:00", "2026-01-06 11:00 secret", "secret", 1767700000, None])
    outside = Outside()
    assert read(this, DAY, outside) == [DAY.start + timedelta(hours=10)]
    assert [line.split(" rows ")[0] for line in outside.told] == ["1", "3"]
    assert "secret" not in " ".join(outside.told)
    bad = in_sqlite(["2026-01-06 11:00 secret"])
    with pytest.raises(NoRows, match=r"1 rows of table rows .* cannot be read") as caught:
        list(batches(bad, DAY, outside=Outside()))
    assert "secret" not in str(caught.value)


def test_local_times_in_sqlite_need_a_zone_but_not_those_that_have_one(
    in_sqlite: Callable[..., ModelSpec],
) -> None:
    hours = [DAY.start + timedelta(hours=h) for h in range(-30, 50)]
    window = Window(DAY.start - timedelta(hours=1), DAY.end - timedelta(hours=1))
    known = in_sqlite([h.isoformat() for h in hours], **BERLIN)
    assert read(known, window) == hours[29:53]
    local = in_sqlite([f"{h:%Y-%m-%d %H:%M}" for h in hours], **BERLIN)
    with pytest.raises(SourceError, match=r"table rows: times in 'time' .* source.timezone"):
        read(local, window)

"""What the monitor is held against: as many tasks in a row, and nothing in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task
from airflow.timetables.interval import DeltaDataIntervalTimetable


@task
def empty() -> None:
    pass


with DAG(
    "empty",
    schedule=DeltaDataIntervalTimetable(timedelta(days=1)),
    start_date=datetime(1996, 5, 7, tzinfo=UTC),
    end_date=datetime(1998, 12, 5, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
):
    first, second, third = (empty.override(task_id=name)() for name in ("one", "two", "three"))
    first >> second >> third

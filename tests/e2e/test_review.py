"""Rows for people in a running Airflow: chosen by the monitor, exported, and what comes back."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from typer.testing import CliRunner, Result

from tasks import store
from tasks.__main__ import app
from tasks.flows import review_queue

from .conftest import Running
from .landed import ACCEPTED, DAY, REVIEWED

FIRST, SECOND = ACCEPTED, ACCEPTED + DAY


def review(running: Running, window: datetime, *more: str) -> Result:
    with running.inside():
        words = ["review", REVIEWED, "--window", window.isoformat(), *more]
        return CliRunner().invoke(app, words)


def queues(running: Running) -> dict[str, bytes]:
    with running.inside():
        there = review_queue.queues_of(running.spec(REVIEWED))
        return {path: store.read_bytes(path) for path in there}


def truths(running: Running, window: datetime) -> dict[str, Any]:
    landed = running.home / "landing" / f"date={window:%Y-%m-%d}" / "part-0.parquet"
    rows = pq.read_table(landed, columns=["id", "y"]).to_pylist()
    return {str(row["id"]): row["y"] for row in rows}


def labelled_by_people(running: Running, exported: Path, window: datetime) -> int:
    """Write the label of each exported row where the spec looks for it; return how many."""
    keys = [str(one["data"]["key"]) for one in json.loads(exported.read_text())]
    truth = truths(running, window)
    with (running.home / "reviewed.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "choice"])
        out.writerows((key, truth[key]) for key in keys)
    return len(keys)


def test_the_monitor_chooses_rows_once_people_take_them_and_their_labels_are_counted_apart(
    running: Running, tmp_path: Path
) -> None:
    running.accept(REVIEWED, "first", ACCEPTED, 8 * DAY)
    running.windows(REVIEWED, FIRST, SECOND)
    chosen = queues(running)
    assert len(chosen) == 2

    # A backfill of the same windows chooses nothing anew.
    running.backfill(FIRST, SECOND, {REVIEWED: ()})
    assert queues(running) == chosen

    exported = tmp_path / "tasks.json"
    taken = review(
        running, FIRST, "--format", "label-studio", "--to", str(exported), "--who", "eve"
    )
    assert taken.exit_code == 0, taken.output
    assert "recorded as look 1 by eve" in taken.output
    before = running.status(REVIEWED).observations
    assert labelled_by_people(running, exported, FIRST) == 30

    told = review(running, FIRST)
    assert "30 of 30 rows have a reviewed label; these are counted apart" in told.output
    assert "0 of 30 rows" in review(running, SECOND).output

    # They change no verdict of the monitor, which runs again with them there.
    assert running.window(REVIEWED, FIRST) == "success"
    assert running.status(REVIEWED).observations == before
    running.verify(REVIEWED)

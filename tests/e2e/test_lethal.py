"""A landing file that ends the process which reads it, in a running Airflow."""

from __future__ import annotations

import pyarrow.parquet as pq

from tests.support.lethal import lethal

from .conftest import Running
from .landed import ACCEPTED, DAY, LETHAL


def test_a_file_that_ends_the_task_which_reads_it_makes_its_window_insufficient_by_name(
    running: Running,
) -> None:
    running.accept(LETHAL, "first", ACCEPTED, 8 * DAY)
    file = running.home / LETHAL / f"date={ACCEPTED:%Y-%m-%d}" / "part-0.parquet"
    file.write_bytes(lethal(pq.read_table(file).to_pydict(), nullable="x"))
    dag = f"monitor.{LETHAL}"
    run = running.operator.trigger(dag, {"conf": {"window": ACCEPTED.isoformat()}})
    assert running.operator.finished(dag, run) == "success"
    task = f"dags/{dag}/dagRuns/{run}/taskInstances/validate"
    assert running.operator.call("GET", task)["try_number"] == 2
    assert "SIGABRT" in str(running.operator.call("GET", f"{task}/logs/1"))
    (observed,) = running.ledger.observations(LETHAL)
    assert observed.verdict == "insufficient"
    assert f"{file} cannot be read: it ends the process that reads it" in observed.reason

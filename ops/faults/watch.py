"""What Airflow's database says of all runs at once.

The REST API would be asked hundreds of times a minute by as many lives, and would slow down what
is measured; and it is one of the services that are killed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

_TASKS = """
select dag_id, run_id, task_id, id::text, state, start_date, end_date, try_number
from task_instance order by start_date
"""
_RUNS = "select dag_id, run_id, state, end_date from dag_run order by id"


@dataclass(frozen=True)
class Task:
    """A task instance."""

    name: str
    id: str
    state: str
    begun: datetime | None
    ended: datetime | None
    tries: int


@dataclass
class Run:
    """A run of a DAG with its tasks, by their names."""

    name: str
    state: str
    ended: datetime | None
    tasks: dict[str, Task] = field(default_factory=dict)

    def after(self, moment: datetime) -> datetime | None:
        """Return when the next task began after a moment; where none is left, the run's end."""
        later = [t.begun for t in self.tasks.values() if t.begun and t.begun >= moment]
        return min(later, default=self.ended)


class Watch:
    """Reads the newest run of each DAG, over a connection that is made anew when it is lost."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._link: psycopg.Connection | None = None
        self.runs: dict[str, Run] = {}

    def look(self) -> None:
        """Read anew; what was read last stays where the database does not answer."""
        try:
            if self._link is None:
                self._link = psycopg.connect(self._address, autocommit=True, connect_timeout=5)
            runs = self._link.execute(_RUNS).fetchall()
            tasks = self._link.execute(_TASKS).fetchall()
        except psycopg.OperationalError:
            self.close()
            return
        found = {(dag, run): Run(run, state, ended) for dag, run, state, ended in runs}
        for dag, run, name, *rest in tasks:
            if (dag, run) in found:
                found[dag, run].tasks[name] = Task(name, *rest)
        self.runs = {dag: run for (dag, _), run in found.items()}

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            with suppress(psycopg.Error):
                self._link.close()
            self._link = None

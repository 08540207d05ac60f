"""An embedded Airflow with one model over days of real prices, beside a DAG of empty tasks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks.orchestration import executors
from benchmarks.orchestration.executors import Executor
from ops import backfill, stack, stack_processes, stack_settings
from ops.landing import land_electricity
from ops.rest import Airflow

HERE = Path(__file__).parent
MODEL = "electricity"
MONITOR, RETRAIN, EMPTY = f"monitor.{MODEL}", f"retrain.{MODEL}", "empty"
START = datetime(1996, 12, 3, tzinfo=UTC)  # the first champion is accepted here
DAY = timedelta(days=1)
TASKS = 3  # that get a process, of either DAG


@dataclass(frozen=True, kw_only=True)
class Took:
    """What some runs of a DAG took together."""

    seconds: float
    cpu: float  # of the processes of their tasks, and of those that watch these


class Scene:
    """The stack in a folder, and what runs on it."""

    def __init__(self, home: Path, executor: Executor) -> None:
        self.home = home
        self.executor = executor
        self.spent = home / "spent"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the stack up, and a champion in it."""
        stack_processes.stop(self.home)
        shutil.rmtree(self.home, ignore_errors=True)
        models = self.home / "models"
        for folder in (models, self.spent):
            folder.mkdir(parents=True)
        (models / f"{MODEL}.yaml").write_text(yaml.safe_dump(_spec(self.home)))
        land_electricity(self.home / "landing")
        os.environ |= {
            "PYTHONPATH": str(HERE / "settings"),
            "ORCHESTRATION_SPENT": str(self.spent),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
                [
                    _bundle("dags-folder", stack_settings.ROOT / "dags"),
                    _bundle("empty", HERE / "dags"),
                ]
            ),
        }
        with ExitStack() as services:
            changed = services.enter_context(executors.settings(self.executor))
            settings = stack_settings.settings_of(self.home, models, changed=changed)
            services.callback(stack_processes.stop, self.home)
            stack.start(self.home, settings)
            password = settings.passwords[stack_settings.OPERATOR]
            self.airflow = Airflow(settings.airflow_url, stack_settings.OPERATOR, password)
            self.airflow.wait_for_dags([MONITOR, RETRAIN, EMPTY])
            self._bootstrap()
            self._freeze(settings)
            stack.start(self.home, settings)  # again, as after the first day: a champion is there
            yield

    def _bootstrap(self) -> None:
        conf = {"reason": "bootstrap", "training_window": "140d", "until": START.isoformat()}
        self._succeeds(RETRAIN, self.airflow.trigger(RETRAIN, {"conf": conf}))

    def _freeze(self, settings: stack_settings.Settings) -> None:
        """Let no run of the monitor start a retrain beside those that are measured."""
        command = ["-m", "tasks", "freeze", MODEL, "--reason", "a benchmark", "--yes"]
        env = stack_settings.environment(self.home, settings)
        subprocess.run(
            [sys.executable, *command],
            env=env,
            cwd=stack_settings.ROOT,
            check=True,
            stdout=sys.stderr,
        )

    def _succeeds(self, dag: str, run: str) -> None:
        if self.airflow.finished(dag, run, 600) != "success":
            raise stack_settings.StackError(
                f"{dag} {run} failed; see the logs in {self.home}/airflow/logs"
            )

    def at_once(self, dag: str, days: list[int]) -> Took:
        """Run a DAG for each of these days after START, all at once, and wait for their end."""
        runs = [self._trigger(dag, day) for day in days]
        for run in runs:
            self._succeeds(dag, run)
        return self._took([self.airflow.call("GET", f"dags/{dag}/dagRuns/{run}") for run in runs])

    def _trigger(self, dag: str, day: int) -> str:
        conf = {"window": (START + day * DAY).isoformat()} if dag == MONITOR else {}
        return self.airflow.trigger(dag, {"conf": conf})

    def backfilled(self, dag: str, first: int, count: int) -> Took:
        """Backfill days after START, and wait for the last."""
        last = START + (first + count - 1) * DAY
        span = ("--from-date", (START + first * DAY).isoformat(), "--to-date", last.isoformat())
        backfill.create(self.home, self.airflow, dag, *span, "--max-active-runs", "4")
        self.airflow.until(lambda: self._ended(dag) >= count, f"{count} windows", 60 * count)
        return self._took(self._backfills(dag))

    def grown(self, dag: str) -> tuple[float, float]:
        """Return the median CPU seconds of a run in a backfill's first and in its last tenth."""
        runs = sorted(self._backfills(dag), key=lambda run: str(run["end_date"]))
        few = max(1, len(runs) // 10)
        took = [self._took([run]).cpu for run in (*runs[:few], *runs[-few:])]
        return median(took[:few]), median(took[few:])

    def _ended(self, dag: str) -> int:
        return sum(run["state"] in ("success", "failed") for run in self._backfills(dag))

    def _backfills(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        asked = {"run_type": "backfill", "limit": 100}
        while True:
            page = self.airflow.call(
                "GET", f"dags/{dag}/dagRuns", params={**asked, "offset": len(found)}
            )["dag_runs"]
            found += page
            if len(page) < 100:
                return found

    def _took(self, runs: list[dict[str, Any]]) -> Took:
        if failed := [r["dag_run_id"] for r in runs if r["state"] != "success"]:
            raise stack_settings.StackError(f"{', '.join(failed)} failed")
        began, ended = (
            [datetime.fromisoformat(r[at]) for r in runs] for at in ("start_date", "end_date")
        )
        names = {(r["dag_id"], r["dag_run_id"]) for r in runs}
        told = self.airflow.until(lambda: self._told_by(names), "the tasks' processes to end", 60)
        return Took(
            seconds=(max(ended) - min(began)).total_seconds(),
            cpu=sum(one["cpu"] for one in told),
        )

    def _told_by(self, runs: set[tuple[str, str]]) -> list[dict[str, Any]] | None:
        """Return what the processes of these runs wrote, once each and its watcher has."""
        told = [one for one in self.told() if (one.get("dag"), one.get("run")) in runs]
        return told if len(told) == 2 * TASKS * len(runs) else None

    def told(self) -> list[dict[str, Any]]:
        """Return what the processes of tasks wrote: see `watched`."""
        files = sorted(self.spent.glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _bundle(name: str, folder: Path) -> dict[str, Any]:
    path = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": path, "kwargs": {"path": str(folder)}}


def _spec(home: Path) -> dict[str, Any]:
    """Return the demo's spec over windows of a day, without anybody who is asked."""
    raw = yaml.safe_load((stack_settings.ROOT / "models" / f"{MODEL}.yaml").read_text())
    del raw["scoring"], raw["source"]["margin"], raw["source"]["version_column"]
    raw["source"]["path"] = f"{home}/landing/date={{date}}/*.parquet"
    raw["window"] |= {"every": "1d", "min_rows": 20}
    raw["approval"] = dict.fromkeys(("retrain", "promote", "rollback"), "automatic")
    return dict(raw)

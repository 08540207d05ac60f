"""One model on its way through monitor, retrain and rollback, stage by stage."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psutil

from ops.faults import faults
from ops.faults.team import WINDOW, Team

_BEGUN = 4.0  # seconds, after which a task has read its DAG file, if nothing is known of it yet
_SETTLED = 3.0  # seconds that a question stands before it is answered: a person reads it first


@dataclass(frozen=True)
class Stage:
    """A task that a fault can meet."""

    flow: str
    task: str

    @property
    def waits(self) -> bool:
        """Return whether it waits for a person, in no process."""
        return self.task.startswith("approve_")


STAGES = [
    *(Stage("monitor", task) for task in ("validate", "measure", "judge", "propose")),
    *(Stage("retrain", task) for task in ("approve_retrain", "train", "calibrate")),
    *(Stage("retrain", task) for task in ("gate", "register", "approve_promote", "promote")),
    *(Stage("rollback", task) for task in ("verify", "approve_rollback", "promote_back")),
]


@dataclass
class Life:
    """A model, its runs, and what was seen of the stage that it is to reach."""

    team: Team
    model: str
    usual: dict[str, float]  # seconds of each task, where nothing is disturbed
    window: str = WINDOW
    runs: dict[str, str] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    held: psutil.Process | None = None
    waiting: str = ""  # the task that waits for a person, and was met so

    def reached(self, stage: Stage) -> bool:
        """Do what is to be done before a stage; return whether it is in its middle, and held."""
        instance = self._instance(stage)
        if instance is None:
            return False
        state = instance["state"]
        if stage.waits and state != "success":
            if state == "awaiting_input":
                self.waiting = stage.task
            return state == "awaiting_input" and self._stands(stage.task)
        if state == "success":
            return True  # it was quicker than we were: the fault comes just after it
        if state != "running":
            return False
        process = faults.task(self.team.home / "run", instance["id"])
        if process is None:
            return False
        if time.time() - process.create_time() < self.usual.get(stage.task, 2 * _BEGUN) / 2:
            return False
        process.suspend()
        self.held = process
        return True

    def holds(self) -> bool:
        """Return whether a task is held; an earlier fault may have ended it since."""
        if self.held is not None and not self.held.is_running():
            self.held = None
        return self.held is not None

    def go_on(self) -> None:
        """Let a task that was held go on, if it still lives."""
        if self.held is not None:
            with suppress(psutil.Error):
                self.held.resume()
            self.held = None

    def ended(self, stage: Stage) -> datetime | None:
        """Return when a stage succeeded; answer it if it waits for a person."""
        instance = self._instance(stage)
        if instance is None:
            return None
        if instance["state"] in ("failed", "upstream_failed", "skipped"):
            raise RuntimeError(f"{self.model}: {stage.task} is {instance['state']}")
        if instance["state"] == "awaiting_input" and self._stands(stage.task):
            self._answer(stage.flow)
        if instance["state"] != "success":
            return None
        return datetime.fromisoformat(instance["end_date"])

    def went_on(self, stage: Stage) -> datetime | None:
        """Return when the task after a stage began; where none is left, when the run ended."""
        ended = self.ended(stage)
        if ended is None:
            return None
        flow, run = stage.flow, self.runs[stage.flow]
        if stage.task == "propose":  # what comes after it is a run of its own
            flow, run = "retrain", self.runs.get("retrain") or self._begin("retrain") or ""
        path = f"dags/{flow}.{self.model}/dagRuns/{run}"
        found = self.team.operator.call("GET", f"{path}/taskInstances")["task_instances"]
        begun = [datetime.fromisoformat(one["start_date"]) for one in found if one["start_date"]]
        later = [moment for moment in begun if moment >= ended]
        if later:
            return min(later)
        over = self.team.operator.call("GET", path)["end_date"]
        return datetime.fromisoformat(over) if over else None

    def seconds(self, stage: Stage) -> float:
        """Return how long a stage took, that has succeeded."""
        instance = self._instance(stage) or {}
        begun, ended = (datetime.fromisoformat(instance[f"{w}_date"]) for w in ("start", "end"))
        return (ended - begun).total_seconds()

    def tries(self, stage: Stage) -> int:
        """Return how often a stage was begun."""
        return int((self._instance(stage) or {"try_number": 0})["try_number"])

    def all_runs(self) -> dict[str, int]:
        """Return how many runs there are of each DAG."""
        flows = ("monitor", "retrain", "rollback")
        return {f: len(self.team.operator.runs(f"{f}.{self.model}")) for f in flows}

    def _instance(self, stage: Stage) -> dict[str, Any] | None:
        run = self.runs.get(stage.flow) or self._begin(stage.flow)
        if run is None:
            return None
        path = f"dags/{stage.flow}.{self.model}/dagRuns/{run}/taskInstances"
        found = self.team.operator.call("GET", path)["task_instances"]
        of = {instance["task_id"]: instance for instance in found}
        for earlier in STAGES[: STAGES.index(stage)]:  # a later one waits for its own fault
            instance = of.get(earlier.task, {"state": None}) if earlier.flow == stage.flow else {}
            if instance.get("state") == "awaiting_input" and self._stands(earlier.task):
                self._answer(stage.flow)
        return of.get(stage.task)

    def _begin(self, flow: str) -> str | None:
        dag = f"{flow}.{self.model}"
        runs = self.team.operator.runs(dag)
        if runs:  # the monitor starts that of `retrain`
            self.runs[flow] = runs[-1]["dag_run_id"]
        elif flow == "retrain":
            return None
        else:
            window, back = {"window": self.window}, {"reason": "the new one disappoints"}
            conf = window if flow == "monitor" else back
            self.runs[flow] = self.team.operator.trigger(
                dag, {"conf": conf, "dag_run_id": f"{self.model}-{flow}"}
            )
        return self.runs[flow]

    def _stands(self, task: str) -> bool:
        now = time.monotonic()
        return now - self.asked.setdefault(task, now) >= _SETTLED

    def _answer(self, flow: str) -> None:
        for detail in self.team.approver.waiting(f"{flow}.{self.model}"):
            self.team.approver.answer(detail, "Approve", {"comment": "go on"})

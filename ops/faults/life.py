"""One model on its way through monitor, retrain and rollback, stage by stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from ops.faults.catch import Catcher
from ops.faults.team import WINDOW, Team
from ops.faults.watch import Run, Task, Watch

_BEGUN = 4.0  # seconds, after which a task has read its DAG file, if nothing is known of it yet
_SETTLED = 3.0  # seconds that a question stands before it is answered: a person reads it first
_AGAIN = 5.0  # seconds until what was sent is sent once more, if nothing came of it
_LOST = ("failed", "upstream_failed", "skipped")


@dataclass(frozen=True)
class Stage:
    """A task that a fault can meet."""

    flow: str
    task: str

    @property
    def waits(self) -> bool:
        """Return whether it waits for a person, in no process. By hand nobody is asked again."""
        return self.task in ("approve_retrain", "approve_promote")

    def __str__(self) -> str:
        return f"{self.flow}: {self.task}"


STAGES = [
    *(Stage("monitor", task) for task in ("validate", "measure", "judge", "propose")),
    *(Stage("retrain", task) for task in ("approve_retrain", "train", "calibrate")),
    *(Stage("retrain", task) for task in ("gate", "register", "approve_promote", "promote")),
    *(Stage("rollback", task) for task in ("verify", "approve_rollback", "promote_back")),
]
FLOWS = ("monitor", "retrain", "rollback")


class LifeLost(Exception):
    """A flow ended elsewhere than it should: names the task and its state."""


@dataclass
class Life:
    """A model and its runs. Nothing is asked here but `watch`, which somebody else keeps fresh."""

    team: Team
    watch: Watch
    catcher: Catcher
    model: str
    usual: dict[str, float]  # seconds of each task, where nothing is disturbed
    window: str = WINDOW
    since: dict[str, float] = field(default_factory=dict)
    lost: str = ""  # why it goes on no more

    def meets(self, stage: Stage) -> bool:
        """Lead to a stage; return whether it is in its middle and held, or over already."""
        task = self._lead_to(stage)
        if task is None:
            return False
        if task.state == "success":
            return True  # it was quicker than we were: the fault comes just after it
        if stage.waits:
            return task.state == "awaiting_input" and self._stands(task.id)
        self.expects(stage)
        return self.catcher.holds(task.id)

    def expects(self, stage: Stage) -> None:
        """Have a stage stopped in its middle, whenever it comes: it may last only a second."""
        task = self._task(stage)
        if task is not None and not stage.waits:
            self.catcher.want(task.id, self.usual.get(stage.task, 2 * _BEGUN) / 2)

    def stands_at(self, stage: Stage) -> bool:
        """Return whether a stage is held in its middle, or waits for a person."""
        task = self._task(stage)
        held = task is not None and self.catcher.holds(task.id)
        return held or (task is not None and task.state == "awaiting_input")

    def let_go(self, stage: Stage) -> None:
        """Let a stage go on."""
        if task := self._task(stage):
            self.catcher.let_go(task.id)

    def ended(self, stage: Stage) -> Task | None:
        """Return a stage that succeeded; answer it if it waits for a person."""
        task = self._lead_to(stage)
        if task is not None and task.state == "awaiting_input" and self._stands(task.id):
            self._answer(stage.flow, task.id)
        return task if task is not None and task.state == "success" else None

    def went_on(self, stage: Stage) -> datetime | None:
        """Return when the task after a stage began; where none is left, when the run ended."""
        task = self.ended(stage)
        if task is None or task.ended is None:
            return None
        # What comes after the monitor is a run of its own.
        run = self.run("retrain" if stage.task == "propose" else stage.flow)
        return run.after(task.ended) if run else None

    def run(self, flow: str) -> Run | None:
        """Return the newest run of a flow."""
        return self.watch.runs.get(f"{flow}.{self.model}")

    def _task(self, stage: Stage) -> Task | None:
        run = self.run(stage.flow)
        return run.tasks.get(stage.task) if run else None

    def _lead_to(self, stage: Stage) -> Task | None:
        """Do what people do before a stage; return it once its run is there."""
        for earlier in STAGES[: STAGES.index(stage) + 1]:
            task = self._task(earlier)
            if task is None and self._begin(earlier.flow):
                self.watch.look()  # its first task may be over before the next look
                task = self._task(earlier)
            if task is None:
                return None
            if task.state in _LOST:
                raise LifeLost(f"{earlier} is {task.state}")
            if earlier == stage:
                return task
            if task.state == "awaiting_input" and self._stands(task.id):
                self._answer(earlier.flow, task.id)
            if task.state != "success":
                return self._task(stage)
        return None

    def _begin(self, flow: str) -> bool:
        """Start a run that a person, or the clock, would start; return whether it was tried."""
        before = self.run("retrain")
        may = {"monitor": True, "rollback": before is not None and before.state == "success"}
        if not may.get(flow) or not self._first_time(f"begin {flow}"):
            return False
        window, back = {"window": self.window}, {"reason": "the new one disappoints"}
        conf = window if flow == "monitor" else back
        body = {"conf": conf, "dag_run_id": f"{self.model}-{flow}"}
        try:
            self.team.operator.trigger(f"{flow}.{self.model}", body)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:  # it is there already
                raise
        return True

    def _answer(self, flow: str, instance: str) -> None:
        if self._first_time(f"answer {instance}"):
            for detail in self.team.approver.waiting(f"{flow}.{self.model}"):
                self.team.approver.answer(detail, "Approve", {"comment": "go on"})

    def _stands(self, instance: str) -> bool:
        now = time.monotonic()
        return now - self.since.setdefault(f"stands {instance}", now) >= _SETTLED

    def _first_time(self, what: str) -> bool:
        """Return whether something was not done within the last seconds."""
        now = time.monotonic()
        if now - self.since.get(what, -_AGAIN) < _AGAIN:
            return False
        self.since[what] = now
        return True

"""Lives one behind the other: in each wave one fault meets all of them, each in another stage.

Life k begins with wave k and meets its next stage in each wave; the faults take turns. So after as
many waves as there are stages and faults, each fault has met each stage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx

from ops.faults import faults
from ops.faults.life import STAGES, Life, LifeLost, Stage
from ops.faults.matrix import Cell
from ops.faults.record import Record
from ops.faults.team import Team
from ops.faults.watch import Watch

_POLL = 0.5
PATIENCE = 420.0  # seconds for one stage, after which the cell says "no"
_WELL = {"healthy", "running", "done"}

Tell = Callable[[str], None]


def plan(names: list[str], stages: list[Stage]) -> list[tuple[str, dict[int, Stage]]]:
    """Return of each wave its fault, and the stage of each life that it meets. Pure."""
    lives, count = range(len(names)), len(stages) + len(names) - 1
    return [
        (
            names[wave % len(names)],
            {life: stages[wave - life] for life in lives if 0 <= wave - life < len(stages)},
        )
        for wave in range(count)
    ]


@dataclass
class Waves:
    """All that lives while faults come."""

    team: Team
    watch: Watch
    tell: Tell
    record: Record

    def undisturbed(self, life: Life, shown: list[Stage]) -> dict[str, float]:
        """Let a life pass through all stages; return the seconds that each took."""
        todo = list(STAGES)

        def through() -> bool:
            while todo and life.went_on(todo[0]):
                todo.pop(0)
            return not todo

        self.need({life.model: through}, 4 * PATIENCE)
        found = {}
        for stage in STAGES:
            task = life.ended(stage)
            if task and task.begun and task.ended:
                found[stage.task] = (task.ended - task.begun).total_seconds()
        for stage in shown:
            self.record.add(Cell("none", stage.task, found[stage.task]))
        return found

    def play(self, lives: list[Life], names: list[str], stages: list[Stage]) -> None:
        """Let each fault of these names meet each of these stages."""
        begun, waves = time.monotonic(), plan(names, stages)
        for number, (fault, at) in enumerate(waves):
            _, then = waves[number + 1] if number + 1 < len(waves) else ("", {})
            spent = time.monotonic() - begun
            left = len(waves) - number
            rest = f", about {spent / number * left / 60:.0f} min left" if number else ""
            self.tell(f"wave {number + 1} of {len(waves)}: {fault}{rest}")
            self._disturb(
                fault,
                [(lives[k], stage) for k, stage in at.items()],
                {lives[k].model: stage for k, stage in then.items()},
                [lives[k] for k in then.keys() - at.keys()],
            )
        end = {life.model: partial(life.went_on, STAGES[-1]) for life in lives if not life.lost}
        for model, why in self.until(end).items():
            self.tell(f"{model} did not come to its end: {why}")

    def _disturb(
        self, fault: str, pairs: list[tuple[Life, Stage]], ahead: dict[str, Stage], new: list[Life]
    ) -> None:
        """Inject a fault while each life is in the middle of its stage, and gather what comes."""
        for life, stage in pairs:
            if life.lost:
                self._add(Cell(fault, stage.task, 0, life.model, never=life.lost))
        pairs = [(life, stage) for life, stage in pairs if not life.lost]

        def meets(life: Life, stage: Stage) -> bool:
            # A stage that is missed must not take the one behind it along.
            if after := ahead.get(life.model):
                life.expects(after)
            return life.meets(stage)

        late = self.until({life.model: partial(meets, life, stage) for life, stage in pairs})
        caught = {life.model: life.stands_at(stage) for life, stage in pairs}
        begun = time.monotonic()  # the clock of the services may be the fault
        said = faults.FAULTS[fault](self.team.home / "run")
        for life, stage in pairs:
            life.let_go(stage)
        self.tell(f"  {', '.join(said)}")
        found: set[str] = set()

        def over(life: Life, stage: Stage) -> bool:
            after = ahead.get(life.model)
            if after is not None:
                life.expects(after)
            if life.model not in found:
                task = life.ended(stage)
                if task is None or life.went_on(stage) is None:
                    return False
                found.add(life.model)
                seconds = time.monotonic() - begun
                cell = Cell(fault, stage.task, seconds, life.model, tries=task.tries)
                cell.caught = caught[life.model] and life.model not in late
                self._add(cell)
            return after is None or life.meets(after)

        waits = {life.model: partial(over, life, stage) for life, stage in pairs}
        waits |= {life.model: partial(life.meets, ahead[life.model]) for life in new}
        lost = self.until(waits)
        for life, stage in pairs:
            if life.model in lost:
                life.lost = f"{lost[life.model]}, in the wave of {fault}"
                if life.model not in found:
                    self._add(Cell(fault, stage.task, PATIENCE, life.model, wrong=life.lost))
        self._until_up()

    def _add(self, cell: Cell) -> None:
        self.record.add(cell)
        self.tell(f"  {cell.stage:<17} {cell.text:>6}  {cell.model}, try {cell.tries} {cell.why}")

    def until(
        self, done: Mapping[str, Callable[[], object]], patience: float = PATIENCE
    ) -> dict[str, str]:
        """Return once all of them are done: those that never were, and why."""
        left, deadline = dict(done), time.monotonic() + patience
        failed: dict[str, str] = {}
        while left and time.monotonic() < deadline:
            self.watch.look()
            for name, one in list(left.items()):
                try:
                    if one():
                        del left[name]
                except httpx.HTTPError:
                    continue  # the server restarts
                except LifeLost as error:
                    failed[name] = str(error)
                    del left[name]
            time.sleep(_POLL)
        return failed | dict.fromkeys(left, f"not over after {patience:.0f} s")

    def need(self, done: Mapping[str, Callable[[], object]], patience: float = PATIENCE) -> None:
        """Return once all of them are done. Raises RuntimeError if one never is."""
        if failed := self.until(done, patience):
            raise RuntimeError(f"nothing disturbed these, and yet: {failed}")

    def _until_up(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if {one["state"] for one in self.team.states().values()} <= _WELL:
                return
            time.sleep(_POLL)

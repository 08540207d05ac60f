"""What it brings to retrain when each detector says so: accuracy, retrains, labels read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from benchmarks.detection import policies
from benchmarks.detection.detectors import PeerName
from benchmarks.detection.policies import Schedule
from benchmarks.detection.scenarios import scenario
from benchmarks.detection.study import Study
from tasks import replay

NEVER = "never"
PLAYED = "Gatelatch"


@dataclass(frozen=True)
class Outcome:
    """One policy on one scenario.

    `accuracy` is the mean over the monitored windows, `gain` what it adds to that of never, in
    points, `labels` the share of the monitored rows whose labels were read. `refused` counts
    retrains that ended without a new model: a gate, or rows of one class only.
    """

    scenario: str
    policy: str
    accuracy: float
    gain: float
    retrains: int
    refused: int
    labels: float

    @property
    def gain_per_retrain(self) -> float | None:
        return self.gain / self.retrains if self.retrains else None


class Differs(Exception):
    """This benchmark's Gatelatch does not do what the project's replay does."""


def fixed(study: Study) -> list[Outcome]:
    """Return what calendars, hindsight and Gatelatch do."""
    schedules = {
        NEVER: Schedule(),
        "every 4 windows": policies.every(study, 4),
        "every window": policies.every(study, 1),
        "best 4 in hindsight": policies.oracle(study, 4),
        "best 8 in hindsight": policies.oracle(study, 8),
        PLAYED: policies.gatelatch(study, labelled=True),
        f"{PLAYED}, unlabelled": policies.gatelatch(study, labelled=False),
    }
    return [outcome(study, name, schedule) for name, schedule in schedules.items()]


def of_peers(
    study: Study, names: list[PeerName], jobs: int, advance: Callable[[], None]
) -> list[Outcome]:
    """Return what each peer's user does; `advance` is called after each window."""
    found: dict[str, Outcome] = {}
    with ThreadPoolExecutor(jobs) as pool:  # each peer computes in a process of its own
        tasks = {pool.submit(policies.glued, study, name, advance): name for name in names}
        for task in as_completed(tasks):
            title = tasks[task].title
            found[title] = outcome(study, title, task.result())
    return [found[name.title] for name in names]


def outcome(study: Study, policy: str, schedule: Schedule) -> Outcome:
    """Return what a schedule brings."""
    accuracy = study.mean_accuracy(schedule.retrained)
    return Outcome(
        study.scenario.name,
        policy,
        accuracy,
        100 * (accuracy - study.mean_accuracy([])),
        len(schedule.retrained),
        sum(w not in schedule.retrained for w in schedule.alarms if w < study.windows[-1]),
        policies.labels_used(study, schedule),
    )


def check(study: Study, pool: Executor) -> Callable[[], None]:
    """Start the project's replay of a scenario; call the result to compare it with `gatelatch`."""
    name = study.scenario.name
    ours = policies.gatelatch(study, labelled=True)
    played = pool.submit(_played, name)

    def compare() -> None:
        asked, promoted = played.result()
        if (asked, promoted) != (ours.alarms, ours.retrained):
            raise Differs(f"{name}: replay asks after {asked}, the benchmark after {ours.alarms}")

    return compare


def _played(name: str) -> tuple[list[int], list[int]]:
    it = scenario(name)
    found = replay.play(it.spec, it.history, it.first, it.span).retrains
    return [r.index for r in found], [r.index for r in found if r.version is not None]

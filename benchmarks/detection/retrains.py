"""What it brings to retrain when each detector says so: accuracy, retrains, labels read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.detection import policies
from benchmarks.detection.detectors import PeerName
from benchmarks.detection.policies import Schedule
from benchmarks.detection.scenarios import Scenario, scenario
from benchmarks.detection.study import Study
from tasks.replay.played import Played
from tasks.replay.trial import trial

NEVER = "never"
PLAYED = "Gatelatch"


@dataclass(frozen=True)
class Outcome:
    """One policy on one scenario.

    `accuracy` is the mean over the monitored windows, `gain` what it adds to that of never, in
    points, `labels` the share of the monitored rows whose labels were read. `refused` counts
    retrains that ended without a new model: a gate, or rows of one class only. A champion that came
    back counts as a retrain.
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


def fixed(study: Study) -> list[Outcome]:
    """Return what calendars and hindsight do."""
    schedules = {
        NEVER: Schedule(),
        "every 4 windows": policies.every(study, 4),
        "every window": policies.every(study, 1),
        "best 4 in hindsight": policies.oracle(study, 4),
        "best 8 in hindsight": policies.oracle(study, 8),
    }
    return [outcome(study, name, schedule) for name, schedule in schedules.items()]


def gatelatch(name: str) -> Outcome:
    """Return what the project's policy does at its defaults, approvals given, by its own replay."""
    from sklearn.exceptions import ConvergenceWarning

    it = scenario(name)
    start = it.history.windows[it.first].start
    with warnings.catch_warnings():
        # Said once by a replay, of the one champion that it concerns; here all the time.
        warnings.simplefilter("ignore", ConvergenceWarning)
        tried = trial(it.spec, it.history, start, it.span, lambda name, total: lambda: None)
    played, accuracy = tried.played, tried.ours.means[0]
    assert accuracy is not None
    assert tried.never is not None
    versions = [step.version for step in played.steps]
    return Outcome(
        it.name,
        PLAYED,
        accuracy,
        100 * (accuracy - tried.never),
        sum(old != new for old, new in pairwise(versions)),
        sum(retrain.version is None for retrain in played.retrains),
        _labels_used(it, played),
    )


def _labels_used(it: Scenario, played: Played) -> float:
    """Return the share of the monitored rows whose labels a judgement or a training read."""
    used = np.zeros(len(it.history.label), dtype=bool)
    for step in played.steps:
        if step.judgement.labelled:
            used[it.history.rows(step.index)] = True
    for retrain in played.retrains:
        used[retrain.trained] = True
    return float(used[int(it.history.edges[it.first]) :].mean())


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

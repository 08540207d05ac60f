"""When to retrain, by each policy, over the candidates of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.detection.detectors import Peer, PeerName
from benchmarks.detection.study import Candidate, Study
from tasks.replay.schedules import best

Advance = Callable[[], None]


@dataclass
class Schedule:
    """After which windows a policy retrained, and which it refused to promote.

    `alarms` are the windows after which it asked; `read` those whose labels it looked at before.
    """

    retrained: list[int] = field(default_factory=list)
    alarms: list[int] = field(default_factory=list)
    read: set[int] = field(default_factory=set)


def glued(study: Study, name: PeerName, advance: Advance) -> Schedule:
    """Return what a user of a detector does: retrain at the end of a window with an alarm.

    The detector then starts anew from the rows that the new model's fit did not see, in order.
    """
    it = study.scenario
    schedule, ruling = Schedule(), it.first

    def rows_of(candidate: Candidate, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return candidate.of(rows), it.history.label[rows], it.columns[rows]

    with Peer(name) as peer:
        champion = study.candidates[ruling]
        peer.reference(*rows_of(champion, champion.unseen))
        for window in study.windows:
            said = peer.window(*rows_of(champion, it.history.rows(window)))
            advance()
            if said.used_labels:
                schedule.read.add(window)
            if not said.alarm:
                continue
            schedule.alarms.append(window)
            if window + 1 in study.candidates:
                schedule.retrained.append(window)
                champion = study.candidates[window + 1]
                peer.reference(*rows_of(champion, champion.unseen))
    return schedule


def every(study: Study, windows: int) -> Schedule:
    """Return the schedule that retrains after every so many windows."""
    return Schedule([w for w in study.windows[windows - 1 :: windows] if w + 1 in study.candidates])


def oracle(study: Study, retrains: int) -> Schedule:
    """Return the schedule of so many retrains with the best accuracy, known in hindsight."""
    first = study.scenario.first
    starts = np.array(sorted(study.candidates)) - first
    before = best(study.accuracy[first:, first:][starts], starts, retrains)[-1]
    return Schedule([first + int(start) - 1 for start in before])


def labels_used(study: Study, schedule: Schedule) -> float:
    """Return the share of the monitored rows whose labels were read, by detector or training."""
    history, first = study.scenario.history, int(study.scenario.history.edges[study.scenario.first])
    used = np.zeros(len(history.label), dtype=bool)
    for window in schedule.read:
        used[history.rows(window)] = True
    for window in {*schedule.retrained, *schedule.alarms}:
        if window + 1 in study.candidates:
            candidate = study.candidates[window + 1]
            used[candidate.base : candidate.unseen.stop] = True
    return float(used[first:].mean())

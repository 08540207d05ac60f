"""When to retrain, by each policy, over the candidates of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.detection.detectors import Peer, PeerName
from benchmarks.detection.study import Candidate, Study
from tasks import gates, slices, soundness
from tasks.drift import judge
from tasks.latch import Pause, Reading, fold
from tasks.margins import Ints
from tasks.oracle import best
from tasks.scored import Scored
from tasks.summary import summarise
from tasks.training import class_names

Advance = Callable[[], None]


@dataclass
class Schedule:
    """After which windows a policy retrained, and which it refused to promote.

    `alarms` are the windows after which it asked; `read` those whose labels it looked at before.
    """

    retrained: list[int] = field(default_factory=list)
    alarms: list[int] = field(default_factory=list)
    read: set[int] = field(default_factory=set)


def gatelatch(study: Study, labelled: bool) -> Schedule:
    """Return what Gatelatch does at its defaults, approvals given; as `tasks.replay` plays it.

    Without labels its judgement sees none; a candidate is trained and gated on labelled rows
    all the same.
    """
    spec, history = study.scenario.spec, study.scenario.history
    schedule, ruling = Schedule(), study.scenario.first
    readings: list[Reading] = []
    pauses = [Pause(history.windows[ruling].start, promotion=True)]
    for window in study.windows:
        rows, champion = history.rows(window), study.candidates[ruling]
        label = history.label[rows] if labelled else np.full(rows.stop - rows.start, -1)
        reference = champion.accepted.reference
        grid = reference.summary.grid
        summary = summarise(grid, champion.of(rows), label, class_names(spec), {})
        said = judge(summary, reference, spec)
        if labelled:
            schedule.read.add(window)
        span = history.windows[window]
        readings.append(Reading(span, ruling, said.verdict, said.pressure))
        if fold(spec.model, readings, pauses, spec.latch).now.state != "open":
            continue
        schedule.alarms.append(window)
        promoted = window + 1 in study.candidates and _passes(
            study, study.candidates[window + 1], champion
        )
        pauses.append(Pause(span.end, promotion=promoted))
        if promoted:
            schedule.retrained.append(window)
            ruling = window + 1
    return schedule


def _passes(study: Study, candidate: Candidate, champion: Candidate) -> bool:
    spec, rows = study.scenario.spec, candidate.judged
    truth = study.scenario.history.label[rows]
    ours, theirs = (_scored(model, rows, truth) for model in (candidate, champion))
    classes, seed = class_names(spec), spec.training.seed
    results = [
        *gates.judge(spec.gates, ours, theirs, classes, seed=seed),
        *slices.judge(spec.gates, ours, theirs, classes, {}, {}, seed=seed),
        *soundness.calibration_slope(candidate.slopes),
    ]
    return gates.passed(results)


def _scored(model: Candidate, rows: slice, truth: Ints) -> Scored:
    """Return the answers of a model of two classes."""
    decision, sigmoid = model.of(rows), model.accepted.reference.sigmoid
    assert sigmoid is not None
    positive = 1 / (1 + np.exp(np.clip(sigmoid[0] * decision + sigmoid[1], -700, 700)))
    return Scored(decision, np.stack([1 - positive, positive], axis=1), truth)


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

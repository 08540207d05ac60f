"""Incidents of labels: noise, and a process that is late, silent or broken. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.arrays import Ints
from tasks.rehearsal.rule_incidents import abrupt_turn
from tasks.rehearsal.scene import Incident, NotApplicable, Scene

NOISE = 0.2  # share of the labels
_LATE = 4  # windows
REPLACED = 0.5  # of the rows of the most frequent class


def label_noise(scene: Scene) -> Incident:
    """Return labels of which one in five is another class, at random."""
    label, rng, k = scene.history.label.copy(), scene.rng(), len(scene.spec.label.classes)
    rows = np.flatnonzero(label[scene.since] >= 0) + scene.since.start
    hit = rows[rng.random(len(rows)) < NOISE]
    label[hit] = (label[hit] + rng.integers(1, k, len(hit))) % k
    return scene.with_labels(label)


def labels_late(scene: Scene) -> Incident:
    """Return labels that come four windows later, while the rule turns."""
    turned = abrupt_turn(scene)
    return replace(turned, delay=_LATE * scene.spec.window.every)


def labels_gone(scene: Scene) -> Incident:
    """Return labels that come no more, while the rule turns: nothing shows the loss."""
    turned = abrupt_turn(scene)
    label = turned.history.label.copy()
    label[scene.since] = -1
    return replace(turned, history=replace(turned.history, label=label))


def labels_broken(scene: Scene) -> Incident:
    """Return labels that all are the first class, whatever happened."""
    label = scene.history.label.copy()
    label[scene.since][label[scene.since] >= 0] = 0
    return scene.with_labels(label)


def prior_shift(scene: Scene) -> Incident:
    """Return rows of which half of the most frequent class are replaced by rows of the others.

    They are drawn from the same window: the rule, and what a class looks like, stay as they are.
    """
    history, rng = scene.history, scene.rng()
    most = _most_frequent(history.label[scene.before])
    taken = np.arange(len(history.label))
    for index in range(scene.onset, len(history.windows)):
        rows = taken[history.rows(index)]
        label = history.label[rows]
        others, mine = rows[(label >= 0) & (label != most)], rows[label == most]
        if len(others):
            gone = mine[rng.random(len(mine)) < REPLACED]
            taken[gone] = rng.choice(others, len(gone))
    label = history.label[taken]
    changed = replace(
        history,
        frame=history.frame.iloc[taken].reset_index(drop=True),
        label=label,
        weight=None if history.weight is None else history.weight[taken],
        columns={name: values[taken] for name, values in history.columns.items()},
    )
    return Incident(changed, label)


def _most_frequent(label: Ints) -> int:
    counts = np.bincount(label[label >= 0])
    if len(counts) < 2:
        raise NotApplicable("needs labels of two classes")
    return int(counts.argmax())

"""Incidents of labels: noise, and a process that is late, silent or broken. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.arrays import Ints
from tasks.rehearsal.rule_incidents import abrupt_turn
from tasks.rehearsal.scene import Incident, NotApplicable, Scene, without_rows

NOISE = 0.2  # share of the labels
LATE = 4  # windows
KEPT = 0.25  # of the rows of the most frequent class


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
    return replace(turned, delay=LATE * scene.spec.window.every)


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
    """Return rows of which three quarters of the most frequent class are gone: others are more."""
    label, since = scene.history.label, scene.since
    most = _most_frequent(label[scene.before])
    gone = np.zeros(len(label), dtype=bool)
    gone[since] = (label[since] == most) & (scene.rng().random(len(label[since])) > KEPT)
    return Incident(without_rows(scene.history, gone), label[~gone])


def _most_frequent(label: Ints) -> int:
    counts = np.bincount(label[label >= 0])
    if len(counts) < 2:
        raise NotApplicable("needs labels of two classes")
    return int(counts.argmax())

"""Incidents of rows and of candidates: an outage, poisoned rows, a bad promotion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.arrays import Ints
from tasks.classifier.cut import cut_rows
from tasks.rehearsal.scene import Incident, Scene, without_rows
from tasks.replay.history import History
from tasks.replay.trained_model import Trained, train_on_history
from tasks.spec.windows import stamp

LANDED = 0.4  # of the window in which an outage begins
POISONED = 0.2  # share of the training window


def outage(scene: Scene) -> Incident:
    """Return a history whose rows end early in the first window and come back with the third."""
    window = scene.history.windows[scene.onset]
    length = window.end - window.start
    times, since = scene.history.times, window.start + LANDED * length
    gone = (times >= stamp(since)) & (times < stamp(window.start + 2 * length))
    history = without_rows(scene.history, gone)
    return Incident(history, np.full(len(history.label), -1))  # nobody decides rows that are gone


def poisoned_slice(scene: Scene) -> Incident:
    """Return a candidate of rows of which a slice, a fifth, has its labels turned round."""
    places = _training_places(scene)
    fit = _fit(scene, places)
    count = round(POISONED * len(places))
    slice_ = fit[len(fit) - count :]
    k = len(scene.spec.label.classes)
    label = scene.history.label.copy()
    label[slice_] = (label[slice_] + 1) % k
    trained = _candidate(scene, replace(scene.history, label=label))
    return Incident(scene.history, scene.history.label, asked=trained)


def bad_candidate(scene: Scene) -> Incident:
    """Return a candidate whose labels were shuffled before the fit, promoted by hand."""
    places = _training_places(scene)
    fit = _fit(scene, places)
    label = scene.history.label.copy()
    label[fit] = scene.rng().permutation(label[fit])
    trained = _candidate(scene, replace(scene.history, label=label))
    return Incident(scene.history, scene.history.label, candidate=trained)


def _training_places(scene: Scene) -> Ints:
    end = scene.history.windows[scene.onset].start
    return scene.history.labelled(end - scene.span, end, scene.spec.label.delay)


def _fit(scene: Scene, places: Ints) -> Ints:
    """Return the places of the rows that a candidate is fit on."""
    calibrate, judge = scene.spec.calibration.share, scene.spec.training.judge
    return places[cut_rows(len(places), calibrate=calibrate, judge=judge).fit]


def _candidate(scene: Scene, history: History) -> Trained:
    """Return the candidate that a person asks for at the onset, judged against the champion."""
    end = scene.history.windows[scene.onset].start
    return train_on_history(scene.spec, history, end, scene.span, scene.champion)

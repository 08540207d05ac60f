"""Incidents of features: what breaks where they are made. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.rehearsal.scene import Incident, NotApplicable, Scene

FACTOR = 100.0
UNIT, OFFSET = 1.8, 32.0  # Celsius → Fahrenheit


def scaled(scene: Scene) -> Incident:
    """Return a numeric feature × 100."""
    (name,) = scene.strongest(1, "numeric")
    return scene.with_column(name, lambda values: values * FACTOR)


def dead(scene: Scene) -> Incident:
    """Return a feature that is missing in every row."""
    (name,) = scene.strongest(1, "numeric", "categorical", "text")
    return _overwritten(scene, name, None)


def constant_value(scene: Scene) -> Incident:
    """Return a feature with one value in every row: its median, or its most frequent text."""
    (name,) = scene.strongest(1, "numeric", "categorical", "text")
    before = scene.history.frame[name].iloc[scene.before]
    if name in scene.spec.features.numeric:
        return _overwritten(scene, name, float(np.median(before)))
    return _overwritten(scene, name, before.mode().iloc[0])


def unit_change(scene: Scene) -> Incident:
    """Return a numeric feature in another unit: 1.8 times as large, plus 32 of its deviations /10.

    As degrees Celsius become Fahrenheit; the offset is scaled to the feature's own spread.
    """
    (name,) = scene.strongest(1, "numeric")
    spread = float(scene.history.frame[name].iloc[scene.before].std())
    return scene.with_column(name, lambda values: values * UNIT + OFFSET / 10 * spread)


def swapped(scene: Scene) -> Incident:
    """Return two features of one kind, each in the other's column."""
    for kind in ("numeric", "categorical", "text"):
        try:
            one, other = scene.strongest(2, kind)
        except NotApplicable:
            continue
        frame, since = scene.history.frame, scene.since
        mine, theirs = (frame[name].to_numpy(copy=True) for name in (one, other))
        mine[since], theirs[since] = theirs[since].copy(), mine[since].copy()
        changed = frame.assign(**{one: mine, other: theirs})
        return Incident(replace(scene.history, frame=changed), scene.history.label, (one, other))
    raise NotApplicable("needs two features of one kind, each with a weight")


def _overwritten(scene: Scene, name: str, value: float | str | None) -> Incident:
    frame = scene.history.frame
    if name in scene.spec.features.numeric:
        values = frame[name].to_numpy(np.float64, copy=True)
        values[scene.since] = np.nan if value is None else value
    else:
        values = frame[name].to_numpy(object, copy=True)
        values[scene.since] = value
    changed = frame.assign(**{name: values})
    return Incident(replace(scene.history, frame=changed), scene.history.label, (name,))

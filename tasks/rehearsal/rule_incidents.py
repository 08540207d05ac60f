"""Incidents of the rule: it turns against the features, which stay as they are. Pure.

The champion's scores S are taken for the rule. T are scores of the same inputs with other signs,
made uncorrelated with S on the rows before and as wide. The rule turned by an angle is cos·S +
sin·T. A label changes exactly where the turned rule decides otherwise than S: so the noise of the
labels stays what it was, and no feature changes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import scoring
from tasks.classifier.linear import linear
from tasks.rehearsal.scene import Incident, NotApplicable, Scene, ends_of

DEGREES = 60.0
BACK = 4  # windows after which a rule that recurs is as before, and again


def abrupt_turn(scene: Scene) -> Incident:
    """Return the rule turned by 60° at once."""
    return _turned(scene, [DEGREES] * scene.windows)


def gradual_turn(scene: Scene) -> Incident:
    """Return the rule turning evenly, by 60° in the last window."""
    return _turned(scene, [DEGREES * (i + 1) / scene.windows for i in range(scene.windows)])


def recurring_turn(scene: Scene) -> Incident:
    """Return the rule turned by 60° for four windows, as before for four, and so on."""
    return _turned(scene, [0.0 if i // BACK % 2 else DEGREES for i in range(scene.windows)])


def _turned(scene: Scene, degrees: list[float]) -> Incident:
    history, edges = scene.history, scene.history.edges
    before, since = _scores(scene, scene.before), _scores(scene, scene.since)
    angle = np.repeat(np.deg2rad(degrees), np.diff(edges[scene.onset :]))[:, np.newaxis]
    across = _across(before, since)
    old = _decided(since[0])
    new = _decided(np.cos(angle) * since[0] + np.sin(angle) * across)
    label = history.label.copy()
    mine = label[scene.since]
    was_old, was_new = (mine == old) & (old != new), (mine == new) & (old != new)
    mine[was_old], mine[was_new] = new[was_old], old[was_new]
    label[scene.since] = mine
    return Incident(replace(history, label=label), label)


def _scores(scene: Scene, rows: slice) -> tuple[Floats, Floats]:
    """Return S and the raw T of rows, each of shape (n, 1), or (n, k) of more than two classes."""
    decision, inputs = scoring.score(scene.champion.model, scene.history.frame.iloc[rows])
    weights = linear(scene.champion.model.estimator).weights
    other = np.asarray(inputs @ (weights * _signs(scene)).T, dtype=np.float64)
    return decision.reshape(len(decision), -1), other.reshape(len(decision), -1)


def _signs(scene: Scene) -> Floats:
    """Return a sign for each input; those of numbers take turns, the strongest first.

    At random those few that count might all keep theirs, and T would be S.
    """
    f = linear(scene.champion.model.estimator)
    signs: Floats = scene.rng().choice([-1.0, 1.0], f.weights.shape[1])
    alone = {
        n: at for n, at, end in zip(f.names, f.first, ends_of(f), strict=True) if end == at + 1
    }
    for turn, name in enumerate(name for name in scene.influence if name in alone):
        signs[alone[name]] = -1.0 if turn % 2 else 1.0
    return signs


def _across(before: tuple[Floats, Floats], since: tuple[Floats, Floats]) -> Floats:
    """Return T of the rows since, without what S tells of it and as wide as S."""
    found = []
    for s, t, s_now, t_now in zip(*(part.T for part in (*before, *since)), strict=True):
        slope = np.cov(s, t)[0, 1] / s.var(ddof=1)
        rest = t - t.mean() - slope * (s - s.mean())
        if rest.std() <= 1e-6 * max(s.std(), 1e-300):
            raise NotApplicable("needs two inputs that the champion weighs, to turn from one")
        now = t_now - t.mean() - slope * (s_now - s.mean())
        found.append(now * s.std() / rest.std())
    return np.stack(found, axis=1)


def _decided(scores: Floats) -> Ints:
    """Return the class that scores decide for."""
    return (scores[:, 0] > 0).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)

"""A model from before the spec named some class: its answers under today's spec. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from tasks.arrays import Ints
from tasks.classifier import absent, adopted
from tasks.classifier.calibrators import calibrator_of


def places(known: Sequence[str], wanted: Sequence[str]) -> Ints:
    """Return of each wanted class its index among the known ones, and -1; then -1, for no label.

    So that `places(…)[label]` are a row's labels as a model of the known classes has them.
    """
    at = {name: index for index, name in enumerate(known)}
    return np.array([*(at.get(name, -1) for name in wanted), -1])


def answering(calibrated: Any, known: Sequence[str], wanted: Sequence[str]) -> Any:
    """Return a calibrated model of the known classes as one of all that are wanted, in that order.

    It decides as before, and for the new classes nowhere, with probability 0; see `absent.widen`.
    A model that knows a class which is not wanted is returned as it is.

    Raises
    ------
    tasks.classifier.adopted.CannotScore
        If it was fit elsewhere: it is no linear function of ours to extend.
    """
    if list(known) == list(wanted) or not set(known) < set(wanted):
        return calibrated
    if adopted.adopted_pipeline(calibrated) is not None:
        new = ", ".join(name for name in wanted if name not in known)
        raise adopted.CannotScore(
            f"the champion was adopted and does not know class {new}; take it out of label.classes "
            "until a pipeline that knows it can be adopted in its place"
        )
    found = deepcopy(calibrated)
    inner = found.calibrated_classifiers_[0]
    there = np.array([list(wanted).index(name) for name in known])
    for frozen in {id(e): e for e in (found.estimator, inner.estimator)}.values():
        model = frozen[-1]
        mine = there[absent.learnt_classes(frozen)]
        weights, intercepts = absent.every_class(model.coef_, model.intercept_)
        learnt = absent.learnt_classes(frozen)
        absent.place(model, weights[learnt], intercepts[learnt], mine, len(wanted))
    found.classes_ = inner.classes = np.arange(len(wanted))
    at = places(known, wanted)[:-1].tolist()
    inner.calibrators = calibrator_of(found).widened(inner.calibrators, at)
    return found

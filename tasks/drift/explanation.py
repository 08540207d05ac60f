"""What an observation keeps beside its verdict: why the margins moved, and what it costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tasks.drift.attribution import change, change_of_class
from tasks.drift.diagnosis import Diagnosis, diagnose
from tasks.drift.distances import psi
from tasks.drift.grid import Bins
from tasks.drift.loss_sums import MeanLosses
from tasks.drift.reference import Reference
from tasks.drift.summary import Distribution, Summary
from tasks.drift.verdict import Judgement

SHOWN = 5
_FARTHEST = 1e300


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the mean margin: in all, by the features that moved most, and by the others."""

    total: float
    features: Mapping[str, float]
    rest: float


@dataclass(frozen=True, kw_only=True)
class FeatureShift:
    """A feature whose mean differs by `shift` standard deviations of the reference.

    `spread` is its standard deviation in those of the reference.
    """

    feature: str
    shift: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """A class's share of the labelled rows and its losses, here and in the reference.

    A loss is None where there is no row of the class.
    """

    share: float
    share_reference: float
    hinge_loss: float | None
    error_rate: float | None
    error_rate_reference: float | None


@dataclass(frozen=True, kw_only=True)
class ExpectedLosses:
    """What the champion's probabilities promise of rows without labels, if they still hold."""

    accuracy: float
    hinge_loss: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a window's margins are what they are; None where it is not known.

    `moved`: the change of the mean margin without labels, and by which features, the largest ones
    and the rest, None where a margin is no known sum over them; `moved_by_class` likewise of the
    labelled margins. `features`: those whose mean or
    spread differs most. `diagnoses`: see `diagnosis.diagnose`. `capped`: in how many rows a feature
    is, where there are any. `losses`: those of the labelled rows. `expected`: what the champion's
    probabilities promise, where labels are missing.
    """

    psi: float
    moved: Change | None
    features: tuple[FeatureShift, ...]
    diagnoses: tuple[Diagnosis, ...]
    capped: Mapping[str, float] | None = None
    losses: MeanLosses | None = None
    classes: Mapping[str, ClassFigures] | None = None
    moved_by_class: Mapping[str, Change] | None = None
    expected: ExpectedLosses | None = None


def explain(
    window: Summary, reference: Reference, judgement: Judgement, hinge_gap: float | None
) -> Explanation:
    """Return what explains a window's margins; `hinge_gap` is that of the version at acceptance."""
    accepted = reference.summary
    labelled = judgement.labelled
    summed = bool(accepted.contributions)
    promised = None if labelled else reference.sigmoid
    return Explanation(
        psi=psi(window.scores, accepted.scores),
        moved=_largest(change(window, accepted)) if summed else None,
        features=tuple(_features(window, accepted)),
        diagnoses=tuple(diagnose(window, accepted, judgement, hinge_gap)),
        capped=dict(window.capped) or None,
        losses=window.losses.means if labelled else None,
        classes=_classes(window, accepted) if labelled else None,
        moved_by_class={
            name: _largest(change_of_class(window, accepted, name)) for name in accepted.classes
        }
        if labelled and summed
        else None,
        expected=None
        if promised is None
        else _expected_losses(window.scores, window.grid.scores, *promised),
    )


def _largest(changes: Mapping[str, float]) -> Change:
    named = [(name, value) for name, value in changes.items() if value]
    return Change(
        total=sum(changes.values()),
        features=dict(named[:SHOWN]),
        rest=sum(value for _, value in named[SHOWN:]),
    )


def _features(window: Summary, accepted: Summary) -> list[FeatureShift]:
    found: list[FeatureShift] = []
    for name, theirs in accepted.features.items():
        ours, deviation = window.features[name], theirs.deviation
        if deviation:
            found.append(
                FeatureShift(
                    feature=name,
                    shift=_bounded((ours.mean - theirs.mean) / deviation),
                    spread=_bounded(ours.deviation / deviation),
                )
            )
    return sorted(found, key=lambda f: -max(abs(f.shift), abs(f.spread - 1)))[:SHOWN]


def _bounded(value: float) -> float:
    """Return what JSON holds of a quotient whose divisor may be near 0."""
    return max(-_FARTHEST, min(value, _FARTHEST))


def _classes(window: Summary, accepted: Summary) -> dict[str, ClassFigures]:
    found: dict[str, ClassFigures] = {}
    for name, theirs in accepted.classes.items():
        ours = window.classes[name]
        found[name] = ClassFigures(
            share=ours.weight / window.losses.weight,
            share_reference=theirs.weight / accepted.losses.weight,
            hinge_loss=ours.hinge_loss if ours.weight else None,
            error_rate=ours.error_rate if ours.weight else None,
            error_rate_reference=theirs.error_rate if theirs.weight else None,
        )
    return found


def _expected_losses(scores: Distribution, bins: Bins, a: float, b: float) -> ExpectedLosses:
    """Return the accuracy and hinge loss to expect if the probabilities still hold.

    Each margin f is right with the probability that the sigmoid gives to its side; margins stand
    at the mean of their bin. A change of the labels themselves does not show in it.
    """
    f = bins.points(scores.counts, scores.sums)
    with np.errstate(over="ignore"):
        positive = 1 / (1 + np.exp(np.clip(a * f + b, -700, 700)))
    loss = positive * np.maximum(0, 1 - f) + (1 - positive) * np.maximum(0, 1 + f)
    right = np.where(f > 0, positive, 1 - positive)
    shares = scores.counts[scores.counts > 0] / scores.moments.n
    return ExpectedLosses(accuracy=float(shares @ right), hinge_loss=float(shares @ loss))

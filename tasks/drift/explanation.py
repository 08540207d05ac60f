"""What an observation keeps beside its verdict: why the margins moved, and what it costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.drift.attribution import change, change_of_class
from tasks.drift.diagnosis import diagnose
from tasks.drift.distances import psi
from tasks.drift.grid import Bins
from tasks.drift.reference import Reference
from tasks.drift.summary import Distribution, Summary
from tasks.drift.verdict import Judgement

SHOWN = 5
_FARTHEST = 1e300


def explain(
    window: Summary, reference: Reference, judgement: Judgement, hinge_gap: float | None
) -> dict[str, Any]:
    """Return JSON-ready figures.

    `moved`: the change of the mean margin without labels, and by which features, the largest ones
    and the rest; `moved_by_class` likewise of the labelled margins. `features`: those whose mean or
    spread differs most, in standard deviations of the reference. `classes`: each class's share of
    the labels and losses, here and in the reference. `diagnoses`: see `diagnosis.diagnose`.
    `capped`: in how many rows a feature is, where there are any. `expected`: accuracy and hinge
    loss that the champion's probabilities promise, where labels are missing.
    """
    accepted = reference.summary
    told: dict[str, Any] = {
        "psi": psi(window.scores, accepted.scores),
        "moved": _largest(change(window, accepted)),
        "features": _features(window, accepted),
        "diagnoses": [vars(d) for d in diagnose(window, accepted, judgement, hinge_gap)],
    }
    if window.capped:
        told["capped"] = dict(window.capped)
    if judgement.labelled:
        effective = {"effective_rows": window.losses.effective_rows}
        told["losses"] = window.losses.details | effective
        told["classes"] = _classes(window, accepted)
        told["moved_by_class"] = {
            name: _largest(change_of_class(window, accepted, name)) for name in accepted.classes
        }
    elif reference.sigmoid is not None:
        told["expected"] = _expected_losses(window.scores, window.grid.scores, *reference.sigmoid)
    return told


def _largest(changes: Mapping[str, float]) -> dict[str, Any]:
    named = [(name, value) for name, value in changes.items() if value]
    return {
        "total": sum(changes.values()),
        "features": dict(named[:SHOWN]),
        "rest": sum(value for _, value in named[SHOWN:]),
    }


def _features(window: Summary, accepted: Summary) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, theirs in accepted.features.items():
        ours, deviation = window.features[name], theirs.deviation
        if deviation:
            figures = {
                "shift": (ours.mean - theirs.mean) / deviation,
                "spread": ours.deviation / deviation,
            }
            # Of a deviation near 0 the quotient may be no number that JSON holds.
            bounded = {k: max(-_FARTHEST, min(v, _FARTHEST)) for k, v in figures.items()}
            found.append({"feature": name, **bounded})
    return sorted(found, key=lambda f: -max(abs(f["shift"]), abs(f["spread"] - 1)))[:SHOWN]


def _classes(window: Summary, accepted: Summary) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name, theirs in accepted.classes.items():
        ours = window.classes[name]
        found[name] = {
            "share": ours.weight / window.losses.weight,
            "share_reference": theirs.weight / accepted.losses.weight,
            "hinge_loss": ours.hinge_loss if ours.weight else None,
            "error_rate": ours.error_rate if ours.weight else None,
            "error_rate_reference": theirs.error_rate if theirs.weight else None,
        }
    return found


def _expected_losses(scores: Distribution, bins: Bins, a: float, b: float) -> dict[str, float]:
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
    return {"accuracy": float(shares @ right), "hinge_loss": float(shares @ loss)}

"""Settings that may close a blind spot: which are tried. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.drift.catalogue import KINDS
from tasks.rehearsal.scene import Scene
from tasks.spec.model import ModelSpec

_MORE_ALARMS = 4  # times as many false alarms a year
_CALM = 8  # steady windows in a row that close the latch
_ROOM = 0.5  # of a feature's range, on either side of it


@dataclass(frozen=True)
class Remedy:
    """Settings to try, by YAML path, and what they are called."""

    name: str
    settings: Mapping[str, Any]


def remedies(spec: ModelSpec, scenes: Sequence[Scene]) -> list[Remedy]:
    """Return the settings to try; those that the spec has already are left out."""
    drift, opening = spec.drift, spec.latch.open
    alarms = _MORE_ALARMS * drift.false_alarms_per_year
    measured = dict.fromkeys(kind.option for kind in KINDS if kind.on(drift))
    halves = {f"drift.{name}.effect": getattr(drift, name).effect / 2 for name in measured}
    found = [
        Remedy(f"drift.false_alarms_per_year={alarms:g}", {"drift.false_alarms_per_year": alarms}),
        Remedy("effects of drift halved", halves),
    ]
    if opening.of > 1:
        found.append(
            Remedy("latch.open={breaches: 1, of: 1}", {"latch.open": {"breaches": 1, "of": 1}})
        )
    found.append(Remedy(f"latch.close.steady={_CALM}", {"latch.close.steady": _CALM}))
    if drift.confirm != "never":
        found.append(Remedy("drift.confirm=never", {"drift.confirm": "never"}))
    if spec.slo is None:
        found.append(Remedy("slo.window=12", {"slo.window": 12}))
    bounds = _bounds(spec, scenes)
    if bounds:
        kept = [e.model_dump(exclude_defaults=True) for e in spec.expectations]
        found.append(
            Remedy("expectations: a range for each number", {"expectations": [*kept, *bounds]})
        )
    return found


def _bounds(spec: ModelSpec, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """Return an expectation for each numeric feature: its range before the incidents, and room."""
    found = []
    for name in spec.features.numeric:
        parts = [s.history.frame[name].iloc[s.before] for s in scenes]
        low, high = (float(f([f(part) for part in parts])) for f in (np.min, np.max))
        room = _ROOM * (high - low)
        if room > 0:
            found.append(
                {
                    "type": "expect_column_values_to_be_between",
                    "column": name,
                    "min_value": _digits(low - room),
                    "max_value": _digits(high + room),
                }
            )
    return found


def _digits(value: float) -> float:
    """Return a bound in three digits: no row's value is told."""
    return float(f"{value:.3g}")

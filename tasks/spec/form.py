"""The form of a spec that its digest covers: what a later release adds does not change it. Pure.

An option of release 0.1 is part of the form whatever its value. A later option is part of it only
where its value is not the default that it came with. So a spec that does not use a new option keeps
its digest, and with it what was approved, made and observed under the digest stays comparable. A
default that changes after its release is then part of the form, and the digest changes: never
silently. Who is told is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# Options since release 0.1, each with the default that it came with, as JSON. None is ever changed.
ADDED: Mapping[str, Any] = {
    "drift.class_margin": {"effect": 0.5},
    "drift.energy": None,
    "source.delta": None,
    "source.asset": None,
    "label.source.delta": None,
    "slo": None,
    "slo.metric": "hinge_loss",
    "slo.budget": 0.1,
    "slo.window": 12,
    "notify": {},
    "tags": [],
    "scoring": None,
    "scoring.path": None,
    "scoring.table": None,
    "scoring.database": None,
    "scoring.on": ["window"],
    "review": None,
    "review.margin_below": None,
    "review.at_most": 200,
    "review.prefer": "random",
    "review.over": None,
    "review.columns": [],
    "review.labels": None,
    **{
        f"review.labels.{name}": None
        for name in ("path", "table", "database", "delta", "key", "column")
    },
    "scoring.canary": None,
    "scoring.canary.share": None,
    "scoring.canary.ramp": [],
    "scoring.canary.windows": 4,
    "training.dag": None,
    "retention": {"figures": None, "quarantine": None, "review": None, "summaries": None},
    "retention.figures": None,
    "retention.quarantine": None,
    "retention.review": None,
    "retention.summaries": None,
}
# No part of the form: who is told, how long what explains a window is kept, and which rows people
# are asked to label change nothing that was approved, made or observed. So each may be set up while
# a question waits.
NOT_COVERED = frozenset({"notify", "retention", "review"})

_EFFECTS = "ks wasserstein margin_density hinge_loss violation_rate class_loss class_recall"
_GATES = (
    "hinge_loss error_rate violation_rate cost brier calibration_error max_calibration_error "
    "per_class_recall hinge_gap support_vectors support_vector_share scoring_time"
)
# The options of release 0.1 by the part that they stand in; this is never changed.
_FIRST = {
    "": "model owner source window features label expectations validation drift latch training "
    "calibration gates shadow approval",
    "owner": "name approvers",
    "source": "path table database time key margin weight version_column timezone",
    "window": "every start end timezone grace catchup min_rows",
    "features": "numeric categorical text",
    "label": "column classes delay source",
    "label.source": "path table database key column",
    "expectations": "type mostly",
    "validation": "max_quarantined fresh constant_feature",
    "drift": f"false_alarms_per_year {_EFFECTS} blind_at calibration confirm",
    **{f"drift.{name}": "effect" for name in _EFFECTS.split()},
    "drift.calibration": "effect false_alarms_per_year propose",
    "latch": "open close wait rest",
    "latch.open": "breaches of",
    "latch.close": "steady at",
    "training": "estimator window weighting regularisation judge cap rare_below refit seed",
    "calibration": "method share",
    "gates": f"{_GATES} costs slices may_separate",
    **{
        f"gates.{name}": "better_than not_worse_than by at_most at_least confidence"
        for name in _GATES.split()
    },
    "gates.slices": "over standard metric not_worse_by confidence min_rows",
    "gates.slices.over": "column values edges",
    "shadow": "windows",
    "approval": "retrain promote rollback timeout proposer",
}
FIRST_OPTIONS = frozenset(
    f"{part}.{name}".lstrip(".") for part, names in _FIRST.items() for name in names.split()
)


def canonical(spec: BaseModel) -> dict[str, Any]:
    """Return the spec as JSON-ready values, without later options that are as they came."""
    content = spec.model_dump(mode="json")
    _leave_out(spec, content, "")
    return content


def _leave_out(part: BaseModel, content: dict[str, Any], path: str) -> None:
    for name, option in type(part).model_fields.items():
        value, here = getattr(part, name), f"{path}.{name}".lstrip(".")
        came = here not in FIRST_OPTIONS and _as_it_came(here, option, value, content[name])
        if came or here in NOT_COVERED:
            del content[name]
            continue
        for inner, its_content in _parts(value, content[name]):
            _leave_out(inner, its_content, here)


def _as_it_came(path: str, option: FieldInfo, value: Any, content: Any) -> bool:
    if path in ADDED:
        return bool(content == ADDED[path])
    return not option.is_required() and value == option.get_default(call_default_factory=True)


def _parts(value: Any, content: Any) -> Iterator[tuple[BaseModel, dict[str, Any]]]:
    if isinstance(value, BaseModel):
        yield value, content
    elif isinstance(value, tuple):
        yield from ((v, c) for v, c in zip(value, content, strict=True) if isinstance(v, BaseModel))

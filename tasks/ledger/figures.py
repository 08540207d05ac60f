"""What an observation keeps beside its verdict: counts, losses, changes and what explains them.

The ledger holds it as JSON, which its chain covers: what is there already stays as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeAlias

from tasks import formats
from tasks.data.served_by import ScoredBy
from tasks.drift.diagnosis import Diagnosis
from tasks.drift.explanation import Change, ClassFigures, ExpectedLosses, FeatureShift
from tasks.drift.loss_sums import MeanLosses
from tasks.drift.probabilities import HeldProbabilities
from tasks.drift.statistic import Statistic


@dataclass(frozen=True, kw_only=True)
class WindowFigures:
    """The figures of one window under one version; None is what was not measured.

    `accepted` rows are those of this version. `reasons` are the rules that the `quarantined` ones
    broke, with how many rows each; a row may break several. `labels` counts labelled rows by class;
    `report` is the address of the page in the store; `expired` says which retention policy
    took away what explained the window. See `Explanation` for what explains a change.
    """

    rows: int | None = None
    accepted: int = 0
    quarantined: int | None = None
    reasons: Mapping[str, int] | None = None
    warnings: tuple[str, ...] | None = None
    scored_by: ScoredBy | None = None
    labelled: int | None = None
    labels: Mapping[str, int] | None = None
    psi: float | None = None
    moved: Change | None = None
    features: tuple[FeatureShift, ...] | None = None
    diagnoses: tuple[Diagnosis, ...] | None = None
    capped: Mapping[str, int] | None = None
    losses: MeanLosses | None = None
    classes: Mapping[str, ClassFigures] | None = None
    moved_by_class: Mapping[str, Change] | None = None
    expected: ExpectedLosses | None = None
    accuracy: float | None = None
    hinge_loss: float | None = None
    violation_rate: float | None = None
    calibration: HeldProbabilities | None = None
    statistics: tuple[Statistic, ...] = ()
    report: str | None = None
    expired: Mapping[str, Any] | None = None

    @property
    def gone(self) -> str | None:
        """Return for people what became of the figures that are not there; None if all are."""
        if self.expired is None:
            return None
        on, policy = self.expired.get("on"), self.expired.get("policy")
        return f"what explains this window expired on {on} ({policy})"

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON, without what was not measured."""
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: _plain(value) for name, value in known.items() if value is not None}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> WindowFigures:
        """Return what an observation holds."""
        return cls.of({f.name: raw[f.name] for f in fields(cls) if f.name in raw})

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> WindowFigures:
        """Return what was just found, JSON-ready. Raises TypeError at a name it does not know."""
        return cls(**{**told, **{n: read(told[n]) for n, read in _READ.items() if n in told}})


def _plain(value: Any) -> Any:
    if isinstance(value, ScoredBy | HeldProbabilities | Statistic):
        return value.to_json()
    if is_dataclass(value):
        return dict(vars(value))
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value


_Read: TypeAlias = Callable[[Any], Any]


def _one(kind: type[Any]) -> _Read:
    return lambda raw: formats.fill(kind, raw)


def _each(kind: type[Any]) -> _Read:
    return lambda raw: tuple(formats.fill(kind, one) for one in raw)


def _by_name(kind: type[Any]) -> _Read:
    return lambda raw: {name: formats.fill(kind, one) for name, one in raw.items()}


_READ: Mapping[str, _Read] = {
    "warnings": tuple,
    "scored_by": ScoredBy.from_json,
    "moved": _one(Change),
    "features": _each(FeatureShift),
    "diagnoses": _each(Diagnosis),
    "losses": _one(MeanLosses),
    "classes": _by_name(ClassFigures),
    "moved_by_class": _by_name(Change),
    "expected": _one(ExpectedLosses),
    "calibration": HeldProbabilities.from_json,
    "statistics": _each(Statistic),
}

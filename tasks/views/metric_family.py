"""What a metric is, and the values that its labels may have: no label takes what anybody wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tasks.drift.catalogue import KINDS
from tasks.ledger.records import ENDS

MetricType = Literal["gauge", "counter", "info"]
MetricUnit = Literal["", "seconds", "ratio", "rows", "windows", "loss"]

OTHER = "other"  # whatever the ledger says that this release does not know
VERDICTS = ("steady", "drifting", "insufficient")
STATES = ("closed", "open", "resting")
LATCHES = ("drift", "calibration")
PARTS_OF_SLO = ("last", "sixth", "whole")
OUTCOMES = ("accepted", "quarantined")
OPENING_ENDS = ("promoted", "closed", "open")
CHAIN_STATES = ("intact", "broken", "unseen")
ALIAS_STATES = ("same", "other", "unseen")
PROPOSAL_KINDS = ("retrain", "recalibrate", "adopt", "rollback", OTHER)
ASKED_STEPS = ("retrain", "promote", "rollback", OTHER)
WORKING = "none"  # the step of a proposal that waits for nobody
DECISION_STEPS = (*ASKED_STEPS, "gates", "shadow", "canary", "withdraw", "run", "promotion")
DECISION_ANSWERS = ("approved", "passed", "skipped", *ENDS, OTHER)
STATISTICS = (*(kind.name for kind in KINDS), OTHER)


@dataclass(frozen=True, kw_only=True)
class MetricFamily:
    """A metric: `most` is the largest number of series a model has, or of all where it has none.

    The name of a counter ends in `_total`, that of an info in `_info`.
    """

    name: str
    type: MetricType
    says: str
    unit: MetricUnit = ""
    labels: tuple[str, ...] = ()
    most: int = 1

    @property
    def of_models(self) -> bool:
        return "model" in self.labels


class MetricSample(NamedTuple):
    """One series of a model: the metric, the values of its labels after the model's, the value."""

    metric: str
    labels: tuple[str, ...]
    value: float


def known(name: str, names: Iterable[str]) -> str:
    """Return a name if it is one of these, else `other`: no label takes what anybody wrote."""
    return name if name in names else OTHER

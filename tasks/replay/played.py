"""What a play leaves behind: its windows, retrains and rollbacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.arrays import Floats, Ints
from tasks.classifier.spans import Tried
from tasks.drift.error_budget import MetricSeen
from tasks.drift.latch import Latch
from tasks.drift.verdict import Judgement
from tasks.gates.gate_result import GateResult
from tasks.replay.trained_model import Trained


@dataclass(frozen=True)
class Step:
    """One window: what was measured, what it means, where the latch stood at its end.

    `judgement` is of all labels that came within the history, `latch` of those that were there
    at the window's end; `labels` are its labelled rows by class, `metric` what the error budget is
    of, where the spec has one.
    """

    index: int
    version: int
    judgement: Judgement
    latch: Latch
    labels: Mapping[str, int] = field(default_factory=dict)
    metric: MetricSeen | None = None


@dataclass(frozen=True, kw_only=True)
class Retrain:
    """What came of one proposal, made at the end of window `index`.

    `version` is champion from the next window on, in place of `champion`; it is None, and `refusal`
    says why, if the candidate did not pass. `above` names the statistics above their limit in the
    newest window with a verdict, `causes` by how much each feature had moved the mean margin there;
    `trained` are the places of the rows of the candidate, `tried` the spans that were fit, of which
    the one at `taken` became the candidate, `warnings` what it cannot promise.
    """

    index: int
    episode: str
    version: int | None
    refusal: str | None
    gates: tuple[GateResult, ...]
    above: tuple[str, ...]
    causes: dict[str, float]
    trained: Ints
    champion: int = 1
    tried: tuple[Tried, ...] = ()
    taken: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def untrained(self) -> bool:
        """Return whether the rows gave no candidate, so that there was nothing to gate."""
        return self.refusal is not None and not self.gates


@dataclass(frozen=True)
class Rollback:
    """An earlier champion that was made champion again after window `index`, and why."""

    index: int
    version: int
    target: int
    reason: str


@dataclass(frozen=True)
class Played:
    """A spec's play over history, from the window `first` on.

    `rates` holds, for each champion, accuracy, hinge loss and violation rate of all windows from
    `first` on, shape (champions, 3, windows): also of those after its reign, NaN before it, and
    where no label is known. `seconds` is the wall-clock time that went into training.
    """

    first: int
    bootstrap: Trained
    steps: tuple[Step, ...]
    retrains: tuple[Retrain, ...]
    rates: Floats
    seconds: float
    rollbacks: tuple[Rollback, ...] = ()

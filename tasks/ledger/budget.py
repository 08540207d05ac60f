"""The error budget of a model's champions, as its observations tell it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from tasks.drift.catalogue import HINGE_LOSS
from tasks.drift.error_budget import (
    BudgetSpent,
    MetricSeen,
    looked_at,
    metric_of,
    metric_of_losses,
    spent,
)
from tasks.drift.explanation import ClassFigures
from tasks.drift.loss_sums import Losses
from tasks.drift.reference import reference_from_json
from tasks.ledger.records import Observation, TwoCandidates
from tasks.ledger.status import Status
from tasks.spec.model import ModelSpec
from tasks.spec.policy_options import Slo


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The error budget of a spec that has one: where it stands `now`, if there is any window."""

    slo: Slo
    now: BudgetSpent | None

    @property
    def sentence(self) -> str:
        """Return for people what is left, or why nothing can be said."""
        now, metric = self.now, self.slo.metric.replace("_", " ")
        if now is None or not now.judged:
            seen = (
                "there is no window yet that" if now is None else f"none of {_windows(now.unseen)}"
            )
            return f"no error budget: {seen} has labels enough to tell the {metric}"
        told = (
            f"{now.whole:.0%} of the error budget is spent ({metric} {self.slo.budget:g} above "
            f"the reference, over {now.windows} windows); it burns at {now.last:.1f} times the "
            f"budget in the newest window and at {now.sixth:.1f} times in "
            f"{_windows(now.sixth_windows)}"
        )
        if now.unseen:
            told += f"; {_windows(now.unseen)} since then said nothing, so it stands as it stood"
        return told

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON: what is borne, and where it stands; see `BudgetSpent`."""
        now = self.now
        return {
            "metric": self.slo.metric,
            "budget": self.slo.budget,
            "spent": None if now is None else now.to_json(),
            "told": self.sentence,
        }


def error_budget_of(status: Status) -> Budget | None:
    """Return the error budget of a model's newest version; None where the spec has none.

    It reads the figures of the windows that it rests on, and of no others.
    """
    spec, slo = status.spec, status.spec.slo
    if slo is None or not status.observations:
        return None if slo is None else Budget(slo=slo, now=None)
    windows, version = slo.windows(spec.window.every), status.observations[-1].version
    mine = takewhile(lambda o: o.version == version, reversed(status.observations))
    newest = [*islice(mine, looked_at(windows))][::-1]
    return Budget(slo=slo, now=_spent(status, slo, newest)[-1])


def burning_since(status: Status) -> tuple[Observation, Budget] | None:
    """Return the window since which the error budget burns, and where it stands; else None.

    Only where it burns are the figures of more windows read than `error_budget_of` reads.
    """
    budget = error_budget_of(status)
    if budget is None or budget.now is None or not budget.now.pages:
        return None
    version = status.observations[-1].version
    mine = [*takewhile(lambda o: o.version == version, reversed(status.observations))][::-1]
    series = _spent(status, budget.slo, mine)
    burning = sum(1 for _ in takewhile(lambda one: one.pages, reversed(series)))
    return mine[-burning], budget


def budgets_between(status: Status, first: int, last: int) -> list[Budget]:
    """Return the error budget after each of the observations `first` to `last`, counted from 0.

    Each is that of the version that was champion then. There are none where the spec has none.
    """
    slo = status.spec.slo
    if slo is None or first > last:
        return []
    before = max(first - looked_at(slo.windows(status.spec.window.every)), 0)
    told = _spent(status, slo, status.observations[before : last + 1])
    return [Budget(slo=slo, now=now) for now in told[first - before :]]


def _spent(status: Status, slo: Slo, seen: Sequence[Observation]) -> list[BudgetSpent]:
    spec = status.spec
    references = {v: _reference(spec, slo, status, v) for v in {o.version for o in seen}}
    metrics = (
        MetricSeen(
            window=o.window,
            version=o.version,
            value=_metric(spec, slo, o),
            reference=references[o.version],
        )
        for o in seen
    )
    return spent(slo, slo.windows(spec.window.every), metrics)


def _metric(spec: ModelSpec, slo: Slo, observation: Observation) -> float | None:
    """Return the metric of a window whose losses were judged; None of every other."""
    if observation.verdict == "insufficient":
        return None
    numbers = observation.numbers
    judged = any(s.name == HINGE_LOSS.name for s in numbers.statistics)
    if not judged or numbers.losses is None:
        return None
    classes = [_rates(numbers.classes or {}, str(name)) for name in spec.label.classes]
    return metric_of(slo, numbers.losses, classes, spec.gates.costs)


def _rates(classes: Mapping[str, ClassFigures], name: str) -> tuple[float, float]:
    mine = classes.get(name)
    return (0.0, 0.0) if mine is None else (mine.share, mine.error_rate or 0.0)


def _reference(spec: ModelSpec, slo: Slo, status: Status, version: int) -> float | None:
    try:
        candidate = status.candidate(version)
    except TwoCandidates:  # nobody can tell which, and whoever acts on it is told so
        return None
    if candidate is None:
        return None
    accepted = reference_from_json(candidate.reference).summary
    classes = [accepted.classes.get(str(name), Losses()) for name in spec.label.classes]
    return metric_of_losses(slo, accepted.losses, classes, spec.gates.costs)


def _windows(count: int) -> str:
    return "1 window" if count == 1 else f"{count} windows"

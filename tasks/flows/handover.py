"""What the steps of a retrain leave for each other in the proposal's MLflow run, sealed.

Each file says in which format it is. One without a number is of release 0.1, and read as format 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tasks import formats
from tasks.classifier.spans import Learning
from tasks.drift import reference
from tasks.drift.reference import Reference
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.gate_result import GateResult
from tasks.registry import tracking
from tasks.validation.checked_rows import Checked

RUN_FORMAT = 1
_Kept = TypeVar("_Kept")


@dataclass(frozen=True, kw_only=True)
class RunFile(Generic[_Kept]):
    """A file of the run, by its name, and how what it holds becomes JSON and is read again."""

    name: str
    to_json: Callable[[_Kept], Any]
    from_json: Callable[[Any], _Kept]

    def put(self, run_id: str, content: _Kept) -> None:
        """Keep it in the run."""
        kept = {formats.KEY: RUN_FORMAT, self.name: self.to_json(content)}
        tracking.put_json(run_id, self.name, kept)

    def get(self, run_id: str) -> _Kept:
        """Return what an earlier step kept.

        Raises
        ------
        tasks.registry.tracking.RegistryRefused
            If it is not there, or was changed.
        tasks.formats.OtherFormat
            If a later release wrote it.
        """
        kept = tracking.get_json(run_id, self.name)
        if isinstance(kept, dict) and kept.keys() == {formats.KEY, self.name}:
            return formats.load_stored(
                f"{self.name}.json of run {run_id}",
                kept,
                {RUN_FORMAT: lambda raw: self.from_json(raw[self.name])},
                newer="install that release, or clear the run's train task, which makes it again",
            )
        return self.from_json(kept)


def _learning(kept: Any) -> Learning | None:

    return Learning.from_json(kept) if kept else None


def _gates(kept: Any) -> tuple[GateResult, ...]:

    return tuple(GateResult.from_json(result) for result in kept)


def _metrics(kept: Any) -> CandidateMetrics:

    return CandidateMetrics.from_json(kept)


# What the check of the training window found.
ROWS: RunFile[Checked] = RunFile(
    name="rows", to_json=lambda checked: checked.to_json(), from_json=Checked.from_json
)
# None of a recalibration, which fits nothing.
LEARNING: RunFile[Learning | None] = RunFile(
    name="span",
    to_json=lambda learning: {} if learning is None else learning.to_json(),
    from_json=_learning,
)
GATES: RunFile[tuple[GateResult, ...]] = RunFile(
    name="gates",
    to_json=lambda results: [result.to_json() for result in results],
    from_json=_gates,
)
METRICS: RunFile[CandidateMetrics] = RunFile(
    name="metrics", to_json=lambda metrics: metrics.to_json(), from_json=_metrics
)
REFERENCE: RunFile[Reference] = RunFile(
    name="reference", to_json=reference.reference_to_json, from_json=reference.reference_from_json
)

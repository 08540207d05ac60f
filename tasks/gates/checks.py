"""Every gate of a candidate, each computed on its own: what breaks one leaves the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.arrays import Floats, Ints
from tasks.classifier import absent, calibration, training
from tasks.gates import calibration_defects, declared_gates, leakage, slices, soundness
from tasks.gates.declared_gates import GateResult, guarded
from tasks.gates.losses import Scored
from tasks.ledger.evidence import short
from tasks.registry import lineage
from tasks.spec.model import ModelSpec

if TYPE_CHECKING:
    import pandas as pd

Checks = Mapping[str, Callable[[], list[GateResult]]]


@dataclass(frozen=True)
class Known:
    """What gates may know beside rows and models; a gate that lacks its part says so.

    `facts` are times, keys and slice columns of the rows; `champion_spec` the digest of the spec
    that the champion was trained with; `seconds` what scoring a row took candidate and champion.
    """

    facts: training.Facts | None = None
    champion_spec: str | None = None
    seconds: tuple[float, float | None] | None = None

    def at(self, rows: slice) -> Known:
        """Return the same of some rows."""
        return replace(self, facts=None if self.facts is None else self.facts.at(rows))


def compared(
    spec: ModelSpec, ours: Scored, theirs: Scored | None, rows: pd.DataFrame, known: Known
) -> list[GateResult]:
    """Return the results of what the spec declares, and of every slice, on the judged rows."""
    classes, seed = training.class_names(spec), spec.training.seed
    categorical = {name: rows[name].to_numpy() for name in spec.features.categorical}
    columns = {str(name): rows[name].to_numpy() for name in rows.columns}
    if known.facts is not None:
        columns |= known.facts.columns
    return [
        *declared_gates.judge(spec.gates, ours, theirs, classes, seed=seed),
        *slices.judge(spec.gates, ours, theirs, classes, categorical, columns, seed=seed),
    ]


def sound(
    spec: ModelSpec,
    models: tuple[Any, Any | None],
    answers: tuple[Scored, Scored | None],
    fitted: Floats,
    known: Known,
) -> list[GateResult]:
    """Return whether the candidate is fit to be a champion at all; see `soundness`.

    Parameters
    ----------
    models, answers
        Candidate and champion, and what they say of the judged rows.
    fitted
        The candidate's labelled margins of the rows that it was fitted on.
    """
    (candidate, champion), (ours, theirs) = models, answers
    classes, policy = training.class_names(spec), spec.gates

    def of(model: Any) -> calibration_defects.Learnt:
        return calibration_defects.Learnt(calibration.slopes(model), absent.learnt(model))

    learnt = of(candidate), None if theirs is None else of(champion)

    def prepared() -> list[GateResult]:
        before = None if champion is None else _preparation(champion, known.champion_spec)
        return soundness.preprocessing(_preparation(candidate, spec.digest), before)

    return _all(
        {
            "another_model": lambda: soundness.another_model(ours, theirs),
            "judged_classes": lambda: soundness.judged_classes(ours, classes),
            "trivial": lambda: soundness.trivial(ours, theirs),
            "calibration_slope": lambda: calibration_defects.calibration_slope(*learnt, classes),
            "ranking_kept": lambda: calibration_defects.ranking_kept(answers, learnt, classes),
            "bounds": lambda: soundness.bounds(policy, ours, fitted),
            "scoring_time": lambda: soundness.scoring_time(policy, known.seconds),
            "preprocessing": prepared,
        }
    )


def unleaked(
    spec: ModelSpec, frame: pd.DataFrame, label: Ints, cut: training.Slices, known: Known
) -> list[GateResult]:
    """Return whether the judged rows were unknown to the fit; see `leakage`.

    Parameters
    ----------
    frame, label
        All rows of the training window, oldest first.
    """
    facts = known.facts

    def order() -> list[GateResult]:
        if facts is None:
            return [GateResult("time_order", "not_judged", "the times of the rows were not given")]
        return leakage.time_order(facts.time, cut)

    def separating() -> list[GateResult]:
        kinds, allowed = spec.features.numeric, spec.gates.may_separate
        classes = len(spec.label.classes)
        return leakage.separating_features(frame[cut.fit], label[cut.fit], classes, kinds, allowed)

    return _all(
        {
            "time_order": order,
            "separating_features": separating,
            "shared_keys": lambda: leakage.shared_keys(facts, cut),
            "shared_content": lambda: leakage.shared_content(frame, label, cut),
        }
    )


def _preparation(model: Any, spec_digest: str | None) -> soundness.Preprocessing:
    made = lineage.preprocessing_structure(model), lineage.preprocessing_digest(model)
    structure, whole = map(short, made)
    return soundness.Preprocessing(structure, whole, spec_digest)


def _all(checks: Checks) -> list[GateResult]:
    return [result for name, check in checks.items() for result in guarded(name, check)]

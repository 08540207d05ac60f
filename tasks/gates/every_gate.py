"""Every gate of a candidate, each computed on its own: what breaks one leaves the others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.arrays import Floats
from tasks.classifier import absent, adopted, calibration, preprocessing
from tasks.classifier.cut import Cut
from tasks.classifier.training_rows import TrainingRows
from tasks.gates import calibration_defects, declared_gates, leakage, slices, soundness
from tasks.gates.contest import Contender, Contest
from tasks.gates.gate_result import GateResult, guarded
from tasks.gates.losses import Scored
from tasks.ledger.evidence import digest, short
from tasks.spec.model import ModelSpec

_LEAKS = ("time_order", "separating_features", "shared_keys", "shared_content")
Checks = Mapping[str, Callable[[], list[GateResult]]]


def compared(spec: ModelSpec, answers: Contest[Scored], judged: TrainingRows) -> list[GateResult]:
    """Return the results of what the spec declares, and of every slice, on the judged rows."""
    classes, seed = spec.label.names, spec.training.seed
    categorical = {name: judged.frame[name].to_numpy() for name in spec.features.categorical}
    columns = {str(name): judged.frame[name].to_numpy() for name in judged.frame.columns}
    columns |= judged.facts.columns
    return [
        *declared_gates.judge_declared(spec.gates, answers, classes, seed=seed),
        *slices.judge_slices(spec.gates, answers, classes, categorical, columns, seed=seed),
    ]


def sound(
    spec: ModelSpec, contest: Contest[Contender], answers: Contest[Scored], fitted: Floats
) -> list[GateResult]:
    """Return whether the candidate is fit to be a champion at all; see `soundness`.

    Parameters
    ----------
    answers
        What both say of the judged rows.
    fitted
        The candidate's labelled margins of the rows that it was fitted on.
    """
    classes, policy = spec.label.names, spec.gates
    candidate, champion = contest.candidate, contest.champion
    # What a champion learnt that cannot answer is compared with nothing.
    learnt = Contest(
        candidate=_learnt(candidate.model),
        champion=None if champion is None or answers.champion is None else _learnt(champion.model),
    )
    return _all(
        {
            "another_model": lambda: soundness.another_model(answers),
            "judged_classes": lambda: soundness.judged_classes(answers.candidate, classes),
            "trivial": lambda: soundness.trivial(answers),
            "calibration_slope": lambda: calibration_defects.calibration_slope(learnt, classes),
            "ranking_kept": lambda: calibration_defects.ranking_kept(answers, learnt, classes),
            "bounds": lambda: soundness.bounds(policy, answers.candidate, fitted),
            "scoring_time": lambda: soundness.scoring_time(
                policy,
                candidate=candidate.seconds,
                champion=None if champion is None else champion.seconds,
            ),
            "preprocessing": lambda: soundness.preprocessing(contest.map(_prepared)),
        }
    )


def unleaked(spec: ModelSpec, rows: TrainingRows, cut: Cut) -> list[GateResult]:
    """Return whether the judged rows were unknown to the fit; see `leakage`.

    Nobody can say so of a candidate that was fit elsewhere.
    """

    if cut.fit.start == cut.fit.stop:
        return [GateResult(name, "not_judged", soundness.FIT_ELSEWHERE) for name in _LEAKS]

    def separating() -> list[GateResult]:
        kinds, allowed = spec.features.numeric, spec.gates.may_separate
        classes, fitted = len(spec.label.classes), rows.at(cut.fit)
        return leakage.separating_features(fitted.frame, fitted.label, classes, kinds, allowed)

    return _all(
        {
            "time_order": lambda: leakage.time_order(rows.facts.time, cut),
            "separating_features": separating,
            "shared_keys": lambda: leakage.shared_keys(rows.facts, cut),
            "shared_content": lambda: leakage.shared_content(rows.frame, rows.label, cut),
        }
    )


def _learnt(model: Any) -> calibration_defects.Learnt:
    return calibration_defects.Learnt(calibration.slopes(model), absent.learnt_classes(model))


def _prepared(contender: Contender) -> soundness.Preprocessing:
    model = contender.model
    made = preprocessing.structure(model), preprocessing.preprocessing_of(model)
    structure, whole = (short(digest(part)) for part in made)
    foreign = adopted.adopted_pipeline(model) is not None
    return soundness.Preprocessing(structure, whole, contender.spec_digest, foreign)


def _all(checks: Checks) -> list[GateResult]:
    return [result for name, check in checks.items() for result in guarded(name, check)]

"""What a recalibrated champion is accepted on: the same decisions, better probabilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.arrays import Floats
from tasks.classifier import absent, calibration, capped, scoring
from tasks.classifier.calibration_fit import calibration_parameters
from tasks.classifier.cut import cut_unfitted
from tasks.classifier.finite import need_finite
from tasks.classifier.training_rows import TrainingRows
from tasks.drift.reference import Reference
from tasks.drift.reliability_table import ReliabilityTable
from tasks.gates import declared_gates, every_gate
from tasks.gates.acceptance import Acceptance, answers, trainable
from tasks.gates.candidate_metrics import CandidateMetrics
from tasks.gates.contest import Contender, Contest
from tasks.gates.curves import figures
from tasks.gates.gate_result import GateResult, verdict
from tasks.gates.losses import Scored, rates
from tasks.spec.gate_options import Gate, Gates
from tasks.spec.model import ModelSpec

_WANTED = Gates(
    calibration_error=Gate(better_than="champion"),
    brier=Gate(not_worse_than="champion", by=0.01),
)
_NAMES = {"calibration_error": "better_calibrated", "brier": "brier_kept"}
_OF_THE_FIT = ("hinge_gap", "support_vectors", "support_vector_share", "scoring_time")


@trainable()
def judge_recalibrated(
    spec: ModelSpec,
    candidate: Contender,
    champion: Contender,
    rows: TrainingRows,
    reference: Reference,
    metrics: CandidateMetrics,
) -> Acceptance:
    """Judge the champion's decision function under a new calibration, on the newest rows.

    The spec's gates count as far as they bound something or ask for no worse: *better than the
    champion* is asked of the calibration error instead, as the losses of one decision function are
    equal. The reference stays the champion's but for the probabilities: a change of margins is
    still held against the rows on which they were accepted, however often they are recalibrated.

    Parameters
    ----------
    rows
        Those to calibrate and to judge on; the champion has seen none of them. Their weights weigh
        the reference's reliability; the gates count rows.
    reference, metrics
        The champion's, and the metrics that it was accepted with.
    """
    cut = cut_unfitted(len(rows), calibrate=spec.calibration.share, judge=spec.training.judge)
    judged, classes = rows.at(cut.judge), spec.label.names
    decision = scoring.decision_values(candidate.model, rows.frame)
    need_finite(decision)
    before = scoring.decision_values(champion.model, judged.frame)
    both = Contest(
        candidate=answers(candidate.model, decision[cut.judge], judged.label),
        champion=answers(champion.model, before, judged.label),
    )
    bounds = spec.model_copy(update={"gates": _bounds(spec.gates)})
    contest = Contest(candidate=candidate, champion=champion)
    means = both.map(lambda scored: rates(scored, spec.gates.costs))
    chance = calibration.probabilities(candidate.model, decision)
    table = ReliabilityTable.of(chance, rows.label, rows.weight, classes)
    return Acceptance(
        gates=(
            _same(both.candidate.decision, before),
            *_better(both, classes, spec.training.seed),
            *every_gate.compared(bounds, both, judged),
            *every_gate.sound(bounds, contest, both, np.empty(0)),
        ),
        metrics=CandidateMetrics(
            judged_rows=len(judged),
            capped=capped.beyond(candidate.model, judged.frame),
            candidate=means.candidate,
            champion=means.champion,
            calibration=calibration_parameters(candidate.model, decision[cut.calibrate], classes),
            hinge_gap=metrics.hinge_gap,
            support_vectors=metrics.support_vectors,
            fitted_rows=metrics.fitted_rows,
            warnings=tuple(
                absent.warnings(spec, rows.label, cut, absent.learnt_classes(candidate.model))
            ),
        ),
        reference=replace(
            reference,
            summary=replace(reference.summary, reliability=table),
            sigmoid=calibration.sigmoid_of(candidate.model),
        ),
        figures=figures(both),
    )


def _bounds(declared: Gates) -> Gates:
    """Return the gates without those on the fit, which is the champion's, or for better losses."""
    better = [name for name, gate in declared.declared() if gate.better_than is not None]
    return declared.model_copy(update=dict.fromkeys([*better, *_OF_THE_FIT]))


def _better(
    answers: Contest[Scored], classes: tuple[str, ...], seed: int
) -> tuple[GateResult, ...]:
    """Return whether probabilities are nearer to frequencies, and the Brier score no worse."""
    results = declared_gates.judge_declared(_WANTED, answers, classes, seed=seed)
    return tuple(replace(result, name=_NAMES[result.name]) for result in results)


def _same(ours: Floats, theirs: Floats) -> GateResult:
    gap = float(np.abs(ours - theirs).max())
    reason = "the decision values are the champion's, and so is the ranking"
    if gap:
        reason = "the decision values are not the champion's: nothing may be fit to recalibrate"
    ok = verdict(gap == 0.0)
    return GateResult("same_decisions", ok, reason, candidate=gap, champion=0.0)

"""What a recalibrated champion is accepted on: the same decisions, better probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.arrays import Floats, Ints
from tasks.classifier import absent, calibration, capped, scoring, training
from tasks.classifier.calibration_fit import parameters
from tasks.classifier.finite import need_finite
from tasks.classifier.training import class_names
from tasks.drift.reference import Reference
from tasks.drift.reliability_table import ReliabilityTable
from tasks.gates import checks, declared_gates
from tasks.gates.acceptance import Acceptance, trainable
from tasks.gates.curves import figures
from tasks.gates.declared_gates import GateResult, verdict
from tasks.gates.losses import Scored, rates
from tasks.spec.gate_options import Gate
from tasks.spec.model import Gates, ModelSpec

if TYPE_CHECKING:
    import pandas as pd

_WANTED = Gates(
    calibration_error=Gate(better_than="champion"),
    brier=Gate(not_worse_than="champion", by=0.01),
)
_NAMES = {"calibration_error": "better_calibrated", "brier": "brier_kept"}
_OF_THE_FIT = ("hinge_gap", "support_vectors", "support_vector_share", "scoring_time")
_KEPT = ("hinge_gap", "support_vectors", "fitted_rows")


@trainable()
def judge(
    spec: ModelSpec,
    candidate: Any,
    champion: Any,
    frame: pd.DataFrame,
    label: Ints,
    accepted: Reference,
    metrics: Mapping[str, Any],
    weight: Floats | None = None,
    *,
    facts: training.Facts | None = None,
) -> Acceptance:
    """Judge the champion's decision function under a new calibration, on the newest rows.

    The spec's gates count as far as they bound something or ask for no worse: *better than the
    champion* is asked of the calibration error instead, as the losses of one decision function are
    equal. The reference stays the champion's but for the probabilities: a change of margins is
    still held against the rows on which they were accepted, however often they are recalibrated.

    Parameters
    ----------
    frame, label
        The rows to calibrate and to judge on, oldest first; the champion has seen none of them.
    accepted, metrics
        The champion's reference, and the metrics that it was accepted with.
    weight
        Sample weights, which weigh the reference's reliability; the gates count rows.
    facts
        Times, keys and slice columns of the rows.
    """
    cut = training.unfitted_slices(
        len(label), calibrate=spec.calibration.share, judge=spec.training.judge
    )
    rows, truth = frame[cut.judge], label[cut.judge]
    decision = scoring.decide(candidate, frame)
    need_finite(decision)
    chance = calibration.probabilities(candidate, decision)
    ours = Scored(decision[cut.judge], chance[cut.judge], truth)
    before = scoring.decide(champion, rows)
    theirs = Scored(before, calibration.probabilities(champion, before), truth)
    bounds = spec.model_copy(update={"gates": _bounds(spec.gates)})
    known = checks.Known(facts, spec.digest)
    results = (
        _same(ours.decision, theirs.decision),
        *_better(ours, theirs, class_names(spec), spec.training.seed),
        *checks.compared(bounds, ours, theirs, rows, known.at(cut.judge)),
        *checks.sound(bounds, (candidate, champion), (ours, theirs), np.empty(0), known),
    )
    found = {
        "judged_rows": len(truth),
        "capped": capped.beyond(candidate, rows),
        "candidate": rates(ours, spec.gates.costs),
        "champion": rates(theirs, spec.gates.costs),
        "calibration": parameters(candidate, decision[cut.calibrate], class_names(spec)),
        **{name: metrics[name] for name in _KEPT},
        "warnings": absent.warnings(spec, label, cut, absent.learnt(candidate)),
    }
    table = ReliabilityTable.of(chance, label, weight, class_names(spec))
    reference = replace(
        accepted,
        summary=replace(accepted.summary, reliability=table),
        sigmoid=calibration.sigmoid(candidate),
    )
    return Acceptance(results, found, reference, figures(ours, theirs))


def _bounds(declared: Gates) -> Gates:
    """Return the gates without those on the fit, which is the champion's, or for better losses."""
    better = [name for name, gate in declared.declared() if gate.better_than is not None]
    return declared.model_copy(update=dict.fromkeys([*better, *_OF_THE_FIT]))


def _better(
    ours: Scored, theirs: Scored, classes: tuple[str, ...], seed: int
) -> tuple[GateResult, ...]:
    """Return whether probabilities are nearer to frequencies, and the Brier score no worse."""
    results = declared_gates.judge(_WANTED, ours, theirs, classes, seed=seed)
    return tuple(replace(result, name=_NAMES[result.name]) for result in results)


def _same(ours: Floats, theirs: Floats) -> GateResult:
    gap = float(np.abs(ours - theirs).max())
    reason = "the decision values are the champion's, and so is the ranking"
    if gap:
        reason = "the decision values are not the champion's: nothing may be fit to recalibrate"
    return GateResult("same_decisions", verdict(gap == 0.0), reason, gap, 0.0)

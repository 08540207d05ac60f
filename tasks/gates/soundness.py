"""What a candidate must be whoever is champion: better than a constant, within bounds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.arrays import Floats
from tasks.classifier.margins import hinge
from tasks.drift.constant import least_hinge
from tasks.gates.contest import Contest
from tasks.gates.gate_result import NO_CHAMPION, GateResult, bounded_gate, verdict
from tasks.gates.losses import LOSSES, NotComputable, Scored
from tasks.spec.gate_options import Gates

_OF_THE_FIT = ("hinge_gap", "support_vectors", "support_vector_share")
FIT_ELSEWHERE = "it was fit elsewhere, and nobody here knows the rows of its fit"
_ROUNDING = 1e-9  # what sums of a constant's losses may be off by


@dataclass(frozen=True)
class Preprocessing:
    """What a model does to its features: digest of its structure, and of its statistics too.

    `adopted`: it was fit elsewhere, and its steps are no matter of the spec.
    """

    structure: str
    whole: str
    spec_digest: str | None
    adopted: bool = False


def judged_classes(scored: Scored, classes: Sequence[str]) -> list[GateResult]:
    """Return whether the judged rows hold more than one class; with one they tell nothing."""
    there = [name for i, name in enumerate(classes) if (scored.truth == i).any()]
    missing = [name for name in classes if name not in there]
    reason = "every class is among the judged rows"
    if missing:
        reason = f"no judged row is of class {', '.join(missing)}"
    if len(there) < 2:
        reason += f", all are of class {', '.join(there)}; widen training.window or training.judge"
    return [
        GateResult("judged_classes", verdict(len(there) > 1), reason, candidate=float(len(there)))
    ]


def another_model(answers: Contest[Scored]) -> list[GateResult]:
    """Return whether the candidate says anything else than the champion."""
    name, candidate, champion = "another_model", answers.candidate, answers.champion
    if champion is None:
        return [GateResult(name, "passed", NO_CHAMPION)]
    same = np.array_equal(candidate.decision, champion.decision) and np.array_equal(
        candidate.probability, champion.probability
    )
    reason = "its answers differ from the champion's"
    if same:
        reason = "identical to the champion on every judged row: there is nothing to promote"
    return [GateResult(name, verdict(not same), reason)]


def trivial(answers: Contest[Scored]) -> list[GateResult]:
    """Return whether the candidate beats the best constant in anything: losses or decisions.

    The best constant's hinge loss is `constant.least_hinge`; its decisions are wrong in 1 - p of
    the rows, where the largest class has the share p. In the mean of the k classes' means, which
    class weights aim at, that is 1/k. Errors are asked for beside losses because margins that are
    only too large cost hinge loss and no decision.

    A recalibrated champion decides as it did, so this is no reason against it.
    """
    candidate, champion = answers.candidate, answers.champion
    name, rows = "trivial", np.bincount(candidate.truth)
    there, classes = rows > 0, int(np.count_nonzero(rows))
    if classes < 2:
        return [GateResult(name, "not_judged", "of one class a constant knows everything")]
    said, better = [], False
    for metric in ("hinge_loss", "error_rate"):
        loss = LOSSES[metric](candidate)
        by_class = np.bincount(candidate.truth, loss)[there] / rows[there]
        for mean, share, over in (
            (float(loss.mean()), float(rows.max() / len(loss)), ""),
            (float(by_class.mean()), 1 / classes, " by class"),
        ):
            least = 1 - share if metric == "error_rate" else least_hinge(share)
            better |= mean < least - _ROUNDING
            said.append(f"{metric.replace('_', ' ')}{over} {mean:.3f}, a constant's {least:.3f}")
    reason, theirs = "; ".join(said), None
    if champion is not None:
        theirs = float(hinge(champion.margins).mean())
        if not better and np.array_equal(candidate.decision, champion.decision):
            better, reason = True, f"{reason}; these are the champion's decisions: retrain it"
    if not better:
        reason += (
            "; a constant would do: the features tell nothing of the label now, or the rows of the "
            "fit are of another time: look at training.window"
        )
    ours = float(hinge(candidate.margins).mean())
    return [GateResult(name, verdict(better), reason, candidate=ours, champion=theirs)]


def bounds(gates: Gates, candidate: Scored, fitted: Floats) -> list[GateResult]:
    """Return the declared bounds on how the candidate fits its rows.

    Parameters
    ----------
    fitted
        Labelled margins of the rows that it was fitted on; empty if it was fit elsewhere.
    """
    asked = [(name, gate) for name, gate in gates.declared() if name in _OF_THE_FIT]
    if not asked:
        return []
    if not len(fitted):
        return [GateResult(name, "not_judged", FIT_ELSEWHERE) for name, _ in asked]
    vectors = int((fitted <= 1).sum())
    figures = {
        "hinge_gap": float(hinge(candidate.margins).mean() - hinge(fitted).mean()),
        "support_vectors": float(vectors),
        "support_vector_share": vectors / max(len(fitted), 1),
    }
    return [bounded_gate(name, figures[name], gate) for name, gate in asked]


def scoring_time(
    gates: Gates, *, candidate: float | None, champion: float | None
) -> list[GateResult]:
    """Return the verdict on the time for 1 000 rows, where declared.

    Parameters
    ----------
    candidate, champion
        Seconds a row, measured side by side. None of the candidate where nothing was measured, as
        in a replay; None of the champion where there is none.
    """
    gate, name = gates.scoring_time, "scoring_time"
    if gate is None or gate.at_most is None:
        return []
    if candidate is None:
        return [GateResult(name, "not_judged", "not measured in a replay")]
    ours = 1000 * candidate
    if champion is None:
        return [GateResult(name, "passed", NO_CHAMPION, candidate=ours)]
    if not champion > 0:
        raise NotComputable("the champion took no time")
    theirs = 1000 * champion
    reason = f"{ours / theirs:.2f} times the champion's, at most {gate.at_most:g}; ms a 1 000 rows"
    ok = ours <= gate.at_most * theirs
    if not ok:
        reason += "; take features out, or raise the bound"
    return [GateResult(name, verdict(ok), reason, candidate=ours, champion=theirs)]


def preprocessing(prepared: Contest[Preprocessing]) -> list[GateResult]:
    """Return whether features are prepared as the champion's are, or why not."""
    name, ours, theirs = "preprocessing", prepared.candidate, prepared.champion
    if theirs is None:
        return [GateResult(name, "passed", f"{NO_CHAMPION}; digest {ours.whole}")]
    if ours.whole == theirs.whole:
        reason = f"the champion's, digest {ours.whole}"
    elif ours.structure == theirs.structure:
        reason = f"the champion's steps, with statistics of newer rows, digest {ours.whole}"
    elif ours.adopted or theirs.adopted:
        whose = "the candidate" if ours.adopted else "the champion"
        reason = f"other steps than the champion's, as {whose} was fit elsewhere"
    elif theirs.spec_digest not in (None, ours.spec_digest):
        reason = (
            f"other steps or features than the champion's, as the spec changed from "
            f"{theirs.spec_digest} to {ours.spec_digest}"
        )
    else:
        reason = (
            f"other steps or features than the champion's ({theirs.structure} → {ours.structure}) "
            "under the same spec; say in the spec what changed, or train with the code of before"
        )
        return [GateResult(name, "failed", reason)]
    return [GateResult(name, "passed", reason)]

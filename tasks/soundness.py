"""What a candidate must be whoever is champion: better than a constant, within bounds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.gates import NO_CHAMPION, GateResult, bounded, verdict
from tasks.margins import Floats, hinge
from tasks.scored import NotComputable, Scored
from tasks.spec_gates import Gates

_OF_THE_FIT = ("hinge_gap", "support_vectors", "support_vector_share")
_ROUNDING = 1e-9  # what sums of a constant's losses may be off by


@dataclass(frozen=True)
class Preprocessing:
    """What a model does to its features: digest of its structure, and of its statistics too."""

    structure: str
    whole: str
    spec_digest: str | None


def judged_classes(scored: Scored, classes: Sequence[str]) -> list[GateResult]:
    """Return whether the judged rows hold more than one class; with one they tell nothing."""
    there = [name for i, name in enumerate(classes) if (scored.truth == i).any()]
    missing = [name for name in classes if name not in there]
    reason = "every class is among the judged rows"
    if missing:
        reason = f"no judged row is of class {', '.join(missing)}"
    if len(there) < 2:
        reason += f", all are of class {', '.join(there)}; widen training.window or training.judge"
    return [GateResult("judged_classes", verdict(len(there) > 1), reason, float(len(there)))]


def another_model(candidate: Scored, champion: Scored | None) -> list[GateResult]:
    """Return whether the candidate says anything else than the champion."""
    name = "another_model"
    if champion is None:
        return [GateResult(name, "passed", NO_CHAMPION)]
    same = np.array_equal(candidate.decision, champion.decision) and np.array_equal(
        candidate.probability, champion.probability
    )
    reason = "its answers differ from the champion's"
    if same:
        reason = "identical to the champion on every judged row: there is nothing to promote"
    return [GateResult(name, verdict(not same), reason)]


def trivial(candidate: Scored, champion: Scored | None) -> list[GateResult]:
    """Return whether the candidate beats the best constant, by its hinge loss or the balanced one.

    A constant that prefers the largest class, of the share p, by d ≥ 0 has the mean hinge loss
    p·max(0, 1 - d) + (1 - p)·(1 + d) (margins of more classes are Crammer & Singer's, 2001). That
    is 1 at d = 0 and 2·(1 - p) at d = 1, straight in between and rising beyond: the smaller of the
    two is the least. In the mean of the classes' means each has the share 1/k, so 1 is the least.
    Either is enough, as class weights give up some of the one for the other.

    A recalibrated champion decides as it did, so this is no reason against it.
    """
    name, loss = "trivial", hinge(candidate.margins)
    rows = np.bincount(candidate.truth)
    if np.count_nonzero(rows) < 2:
        return [GateResult(name, "not_judged", "of one class a constant knows everything")]
    mean = float(loss.mean())
    balanced = float((np.bincount(candidate.truth, loss)[rows > 0] / rows[rows > 0]).mean())
    constant = min(1.0, 2 * (1 - float(rows.max()) / len(loss)))
    reason = (
        f"hinge loss {mean:.3f}, the best constant's {constant:.3f}; mean of the classes "
        f"{balanced:.3f}, the best constant's 1"
    )
    theirs = None if champion is None else float(hinge(champion.margins).mean())
    ok = mean < constant - _ROUNDING or balanced < 1 - _ROUNDING
    if not ok and champion is not None and np.array_equal(candidate.decision, champion.decision):
        ok, reason = True, f"{reason}; these are the champion's decisions: retrain it"
    elif not ok:
        reason += (
            "; a constant would do: the features tell nothing of the label now, or the rows of the "
            "fit are of another time: look at training.window"
        )
    return [GateResult(name, verdict(ok), reason, mean, theirs)]


def bounds(gates: Gates, candidate: Scored, fitted: Floats) -> list[GateResult]:
    """Return the declared bounds on how the candidate fits its rows.

    Parameters
    ----------
    fitted
        Labelled margins of the rows that it was fitted on; may be empty if nothing is declared.
    """
    asked = [(name, gate) for name, gate in gates.declared() if name in _OF_THE_FIT]
    if not asked:
        return []
    vectors = int((fitted <= 1).sum())
    figures = {
        "hinge_gap": float(hinge(candidate.margins).mean() - hinge(fitted).mean()),
        "support_vectors": float(vectors),
        "support_vector_share": vectors / max(len(fitted), 1),
    }
    return [bounded(name, figures[name], gate) for name, gate in asked]


def scoring_time(gates: Gates, seconds: tuple[float, float | None] | None) -> list[GateResult]:
    """Return the verdict on the time for 1 000 rows of candidate and champion, where declared.

    Parameters
    ----------
    seconds
        Both, measured side by side; None where nothing was measured, as in a replay.
    """
    gate, name = gates.scoring_time, "scoring_time"
    if gate is None or gate.at_most is None:
        return []
    if seconds is None:
        return [GateResult(name, "not_judged", "not measured in a replay")]
    ours, theirs = (None if s is None else 1000 * s for s in seconds)
    if theirs is None:
        return [GateResult(name, "passed", NO_CHAMPION, ours)]
    if not theirs > 0:
        raise NotComputable("the champion took no time")
    assert ours is not None
    reason = f"{ours / theirs:.2f} times the champion's, at most {gate.at_most:g}; ms a 1 000 rows"
    ok = ours <= gate.at_most * theirs
    if not ok:
        reason += "; take features out, or raise the bound"
    return [GateResult(name, verdict(ok), reason, ours, theirs)]


def preprocessing(ours: Preprocessing, theirs: Preprocessing | None) -> list[GateResult]:
    """Return whether features are prepared as the champion's are, or why not."""
    name = "preprocessing"
    if theirs is None:
        return [GateResult(name, "passed", f"{NO_CHAMPION}; digest {ours.whole}")]
    if ours.whole == theirs.whole:
        reason = f"the champion's, digest {ours.whole}"
    elif ours.structure == theirs.structure:
        reason = f"the champion's steps, with statistics of newer rows, digest {ours.whole}"
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

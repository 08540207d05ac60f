"""Verdicts with labels: what confirms a breach, which losses rise, and classes without a label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.drift.loss_sums import Losses
from tasks.drift.reference import Reference
from tasks.drift.summary import Summary
from tasks.drift.verdict import judge_margins
from tests.support.judged import (
    LABELLED,
    SHAPE,
    by_name,
    drifted,
    labelled,
    of,
    reference_from,
    signs,
    spec_of,
    verdict,
)


def unlabelled(window: Summary) -> Summary:
    return replace(window, losses=Losses(), classes={name: Losses() for name in window.classes})


@pytest.mark.parametrize(
    ("confirm", "labelled", "right", "expected"),
    [
        ("never", False, 1.0, "drifting"),
        ("never", True, 1.0, "drifting"),
        ("never", True, 0.5, "drifting"),
        ("if_labelled", False, 1.0, "drifting"),
        ("if_labelled", True, 1.0, "steady"),
        ("if_labelled", True, 0.5, "drifting"),
        ("required", False, 1.0, "insufficient"),
        ("required", True, 1.0, "steady"),
        ("required", True, 0.5, "drifting"),
    ],
)
def test_whether_a_breach_counts_is_the_owners_choice(
    confirm: str, labelled: bool, right: float, expected: str
) -> None:
    window, reference = drifted(right)
    if not labelled:
        window = unlabelled(window)
    judgement = verdict(window, reference, confirm=confirm)
    assert (judgement.verdict, judgement.labelled) == (expected, labelled)
    if expected == "insufficient":
        assert "`required` and labels are missing" in judgement.reason


def test_a_breach_that_the_labels_do_not_confirm_says_so() -> None:
    reason = verdict(*drifted(1.0)).reason
    assert reason.startswith("above the limit: ks, wasserstein")
    assert reason.endswith("; the labelled loss does not confirm it")


def risen(times: float, rows: int = 12_000) -> tuple[Summary, Reference]:
    """Return a window whose scores hold still and whose hinge loss is so many times as large."""
    decision = np.random.default_rng(5).normal(size=rows)
    window = of(decision, signs(decision))
    worse = {n: replace(c, hinge=c.hinge * times) for n, c in window.classes.items()}
    return replace(window, classes=worse), reference_from(decision, signs(decision))


def test_a_loss_beyond_its_limit_is_drift_though_the_scores_hold_still() -> None:
    judgement = verdict(*risen(1.6))
    assert judgement.verdict == "drifting"
    assert judgement.reason.startswith("above the limit: hinge_loss")
    assert judgement.pressure == by_name(judgement)["hinge_loss"].pressure
    assert verdict(*risen(1.1)).verdict == "steady"
    assert by_name(judgement)["ks"].value == by_name(judgement)["ks_labelled"].value == 0


def test_a_loss_is_also_held_against_the_best_earlier_reference() -> None:
    window, reference = risen(1.0)
    better = easier(0.4)
    assert verdict(window, reference).verdict == "steady"
    judgement = judge_margins(window, reference, spec_of(), better)
    lost = by_name(judgement)["lost_level"]
    assert judgement.verdict == "drifting"
    assert judgement.reason == "above the limit: lost_level"
    assert lost.value == pytest.approx(
        window.losses.hinge_loss - better.summary.losses.hinge_loss, abs=1e-9
    )
    assert judge_margins(unlabelled(window), reference, spec_of(), better).verdict == "steady"
    same = judge_margins(window, reference, spec_of(), reference)
    assert same.verdict == "steady"
    assert by_name(same)["lost_level"].value == pytest.approx(0, abs=1e-12)


def easier(times: float) -> Reference:
    """Return the reference of a model whose scores are farther from 0."""
    decision = np.random.default_rng(5).normal(size=12_000) / times
    return reference_from(decision, signs(decision))


@pytest.mark.parametrize(
    ("shift", "wrong", "rows", "known", "evidence"),
    [(0.8, 0.08, 3000, 110, SHAPE), (0.1, 0.5, 200, 200, [*LABELLED, "constant"])],
    ids=["all scores, few labels", "all labels, small shift"],
)
def test_the_evidence_of_a_labelled_breach_may_come_from_any_statistic(
    shift: float, wrong: float, rows: int, known: int, evidence: list[str]
) -> None:
    judgement = labelled(shift, wrong, rows, known)
    found = by_name(judgement)
    assert judgement.verdict == "drifting"
    assert [name for name, s in found.items() if s.pressure > 1] == evidence
    # The other kind of change is large enough to matter, but chance would show as much.
    for name in {"ks", "hinge_loss"} - set(evidence):
        assert found[name].effect < found[name].size < found[name].noise


def test_a_labelled_breach_needs_a_loss_that_rises_as_much_as_matters() -> None:
    assert labelled(0.8, 0.15, 3000, 3000).verdict == "drifting"
    judgement = labelled(0.8, 0.15, 3000, 3000, hinge_loss=5.0)
    assert judgement.verdict == "steady"
    assert 0 < (judgement.pressure or 0) < 1
    assert max(s.pressure for s in judgement.statistics) > 1


def test_a_fallen_loss_is_no_breach() -> None:
    window, reference = drifted(1.0)
    loss = by_name(verdict(window, reference))["hinge_loss"]
    assert loss.value < loss.pressure == 0


def test_a_class_without_labels_leaves_the_others_judged_and_it_is_said() -> None:
    rng = np.random.default_rng(7)
    decision, now = rng.normal(size=10_000), rng.normal(size=1000)
    reference = reference_from(decision, signs(decision))
    label = signs(now)
    label[label == 1] = -1
    judgement = verdict(of(now, label), reference)
    assert (judgement.verdict, judgement.labelled) == ("steady", True)
    assert list(by_name(judgement)) == [*SHAPE, "hinge_loss", "violation_rate"]
    assert judgement.reason == "within its limits; no label is yes, of which nothing is said"


def test_weights_that_leave_too_few_effective_labels_leave_the_losses_out() -> None:
    rng = np.random.default_rng(9)
    decision, now = rng.normal(size=10_000), rng.normal(size=1000)
    reference = reference_from(decision, signs(decision))
    few = np.r_[np.full(60, 1e3), np.ones(940)]
    assert verdict(of(now, signs(now)), reference).labelled
    judgement = verdict(of(now, signs(now), few), reference)
    assert not judgement.labelled
    assert judgement.reason == (
        "within its limits; 1,000 labels are not used: of classes that both have they count as 62 "
        "rows, and the reference's as 10000; window.min_rows = 100 are needed"
    )
    nothing = verdict(of(now, signs(now), np.zeros(1000)), reference)
    assert nothing.reason.endswith("1,000 labels are not used: their sample weights sum to zero")


def test_labels_that_the_reference_lacks_are_said_to_be_unused() -> None:
    decision = np.random.default_rng(9).normal(size=10_000)
    label = signs(decision)
    label[90:] = -1
    judgement = verdict(of(decision[:500], signs(decision[:500])), reference_from(decision, label))
    assert not judgement.labelled
    assert "500 labels are not used" in judgement.reason
    assert "the reference's as 90; window.min_rows = 100" in judgement.reason

"""Statistics between a window and its reference, their limits, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from tasks.arrays import Floats, Ints
from tasks.drift.grid import Grid
from tasks.drift.latch import Reading, fold
from tasks.drift.loss_sums import Losses
from tasks.drift.moments import Moments
from tasks.drift.reference import Reference, reference_from_blocks
from tasks.drift.statistic import Statistic
from tasks.drift.summary import Distribution, Summary, summarise
from tasks.drift.verdict import Judgement, judge_margins
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import CHURN

GRID = Grid.even(-12.0, 12.0)
SHAPE = ["ks", "wasserstein", "margin_density"]
LABELLED = ["ks_labelled", "hinge_loss", "violation_rate"]
CLASSES = [f"class_{s} of {n}" for n in ("no", "yes") for s in ("loss", "recall", "margin")]
ALL = [*SHAPE, *LABELLED, *CLASSES, "constant"]
LOSSES = ("hinge_loss", "violation_rate", "class_loss", "class_recall", "class_margin")
TINY = {name: {"effect": 1e-9} for name in (*SHAPE, *LOSSES)}
BLOCKS = 20


def spec_of(every: str = "7d", min_rows: int = 100, **drift: Any) -> ModelSpec:
    window = {**CHURN["window"], "every": every, "min_rows": min_rows}
    return ModelSpec.model_validate({**CHURN, "window": window, "drift": drift})


def of(decision: Floats, label: Ints | None = None, weight: Floats | None = None) -> Summary:
    unknown = np.full(len(decision), -1)
    known = unknown if label is None else label
    return summarise(GRID, decision, known, ("no", "yes"), {}, weight=weight)


def reference_from(decision: Floats, label: Ints | None = None, count: int = BLOCKS) -> Reference:
    """Return the reference of rows in so many blocks; without labels all decisions are right."""
    known = signs(decision) if label is None else label
    parts = np.array_split(np.arange(len(decision)), count)
    return reference_from_blocks([[of(decision[p], known[p]) for p in parts]], 1)


def verdict(window: Summary, reference: Reference, **policy: Any) -> Judgement:
    return judge_margins(window, reference, spec_of(**policy))


def by_name(judgement: Judgement) -> dict[str, Statistic]:
    return {statistic.title: statistic for statistic in judgement.statistics}


def signs(decision: Floats) -> Ints:
    return (decision > 0).astype(np.int64)


def test_the_same_sample_is_steady_without_pressure() -> None:
    rng = np.random.default_rng(2)
    decision = rng.normal(size=2000)
    judgement = verdict(of(decision, signs(decision)), reference_from(decision))
    assert (judgement.verdict, judgement.reason) == ("steady", "within its limits")
    assert judgement.pressure == pytest.approx(0, abs=1e-12)
    assert list(by_name(judgement)) == ALL
    assert judgement.rests_on == tuple(ALL)


def test_a_shift_that_matters_drifts_and_says_in_what() -> None:
    rng = np.random.default_rng(3)
    judgement = verdict(of(rng.normal(1, size=1000)), reference_from(rng.normal(size=10_000)))
    assert judgement.verdict == "drifting"
    assert judgement.reason == "above the limit: ks, wasserstein, margin_density"
    assert (judgement.pressure or 0) > 1
    found = by_name(judgement)
    assert found["wasserstein"].value == pytest.approx(1, abs=0.1)
    assert found["margin_density"].value == pytest.approx(-0.205, abs=0.04)


def test_a_shift_too_small_to_matter_is_steady_however_many_rows_prove_it() -> None:
    rows = 2_000_000
    edges = np.concatenate([[-np.inf], GRID.scores.edges, [np.inf]])

    def exactly(mean: float) -> Summary:
        shares = np.diff(stats.norm.cdf(edges, loc=mean))
        counts = np.round(shares * rows).astype(np.int64)
        moments = Moments(int(counts.sum()), mean, rows**0.5)
        inside = round(rows * float(np.diff(stats.norm.cdf([-1, 1], loc=mean))[0]))
        labelled = of(np.zeros(1), np.zeros(1, dtype=np.int64))
        return replace(
            labelled,
            scores=Distribution(counts, GRID.scores.lefts * counts, moments),
            inside=inside,
        )

    blocks = [exactly(0.0) for _ in range(BLOCKS)]
    judgement = verdict(exactly(0.02), reference_from_blocks([blocks], 1))
    distance = judgement.statistics[0]
    assert stats.kstwobign.sf(distance.value * np.sqrt(rows / 2)) < 1e-20
    assert distance.value > distance.noise
    assert judgement.verdict == "steady"
    assert (judgement.pressure or 9) < 0.1


def test_too_few_rows_are_insufficient_not_steady() -> None:
    rng = np.random.default_rng(0)
    judgement = verdict(of(np.full(99, 9.0)), reference_from(rng.normal(size=1000)))
    assert judgement.verdict == "insufficient"
    assert judgement.reason == "99 rows, fewer than window.min_rows = 100"
    assert (judgement.pressure, judgement.statistics) == (None, ())


@pytest.mark.parametrize("window", [np.zeros(500), np.linspace(-1, 1, 500)])
def test_a_reference_whose_margins_are_all_equal_judges_nothing(window: Floats) -> None:
    judgement = verdict(of(window), reference_from(np.full(1000, 0.7)))
    assert judgement.verdict == "insufficient"
    assert judgement.reason.startswith("all margins of the reference are equal; retrain")
    assert judgement.pressure is None


def test_a_window_on_another_grid_is_an_error() -> None:
    reference = reference_from(np.linspace(-1, 1, 400))
    window = replace(of(np.zeros(200)), grid=Grid.even(-1.0, 1.0))
    with pytest.raises(ValueError, match="different grids"):
        verdict(window, reference)


def drifted(right: float) -> tuple[Summary, Reference]:
    """Return a window of larger scores and its reference; a share `right` of labels agrees."""
    rng = np.random.default_rng(4)
    reference, window = rng.normal(size=12_000), rng.normal(1.5, 2, size=2000)
    wrong = rng.random(2000) >= right
    return of(window, signs(window) ^ wrong), reference_from(reference, signs(reference))


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


def labelled(shift: float, wrong: float, rows: int, known: int, **effects: float) -> Judgement:
    """Return what is said of shifted rows, of which the first `known` have labels, some wrong."""
    rng = np.random.default_rng(6)
    before, now = rng.normal(size=60_000), rng.normal(shift, 1, size=rows)
    label = signs(now) ^ (rng.random(rows) < wrong)
    label[known:] = -1
    policy = {name: {"effect": effects.get(name, 0.03)} for name in TINY}
    # Classes say nothing here.
    policy |= {name: {"effect": 9.0} for name in ("class_loss", "class_recall", "class_margin")}
    return verdict(of(now, label), reference_from(before, signs(before)), **policy)


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


def blind(rows: int, count: int, shift: float, **policy: Any) -> Judgement:
    """Return what is said of a block of an autocorrelated reference that was shifted."""
    stream = ar(np.random.default_rng(10), rows * count, 0.98)
    return verdict(of(stream[:rows] + shift), reference_from(stream, count=count), **policy)


def test_a_window_that_could_show_nothing_that_matters_is_insufficient() -> None:
    judgement = blind(200, 8, 0.0, blind_at=2)
    assert judgement.verdict == "insufficient"
    assert judgement.pressure is None
    least = min(s.noise / s.effect for s in judgement.statistics)
    assert least >= 2
    assert judgement.reason == (
        f"too few independent rows: only a change {least:.1f} times as large as one that matters "
        "would stand out; widen window.every or training.window"
    )


def test_a_change_beyond_the_noise_of_a_blind_window_still_drifts() -> None:
    assert blind(200, 8, 9.0, blind_at=2).verdict == "drifting"


def test_a_window_is_not_blind_while_one_statistic_sees() -> None:
    judgement = blind(200, 8, 0.0, blind_at=2, wasserstein={"effect": 9.0})
    found = by_name(judgement)
    assert (judgement.verdict, judgement.rests_on) == ("steady", ("wasserstein",))
    assert judgement.reason == (
        "within its limits, as far as wasserstein can tell; blind: "
        f"ks (sees {found['ks'].limit:.2g} or more), "
        f"margin_density (sees {found['margin_density'].limit:.2g} or more)"
    )


def test_a_limit_that_no_change_can_reach_is_blind() -> None:
    rng = np.random.default_rng(3)
    decision = rng.normal(size=10_000)
    inside = float(np.mean(np.abs(decision) < 1))
    most = {"ks": 1.0, "margin_density": max(inside, 1 - inside)}
    for name, largest in most.items():
        for effect, expected in ((largest * 0.999, False), (largest * 1.001, True)):
            judgement = verdict(
                of(decision[:500]), reference_from(decision), **{name: {"effect": effect}}
            )
            assert by_name(judgement)[name].blind == expected
            assert (f"blind: {name} (sees nothing)" in judgement.reason) == expected
    label = signs(decision) ^ (rng.random(10_000) < 0.4)
    policy = {"class_recall": {"effect": 0.7}}  # of which there is 0.6
    judgement = verdict(of(decision, label), reference_from(decision, label), **policy)
    assert "class_recall of no (sees nothing)" in judgement.reason
    assert "class_recall of yes" not in judgement.rests_on


def test_a_breach_says_what_a_steady_verdict_rests_on() -> None:
    window, reference = drifted(1.0)
    judgement = verdict(window, reference, hinge_loss={"effect": 0.2}, margin_density={"effect": 1})
    assert judgement.verdict == "steady"
    assert "; the labelled loss does not confirm it; the verdict rests on ks, " in judgement.reason
    assert judgement.reason.endswith("; blind: margin_density (sees nothing)")


def noises(stream: Floats, rows: int, **policy: Any) -> dict[str, float]:
    """Return each statistic's noise for a window of so many rows after a labelled stream."""
    label = signs(stream + np.random.default_rng(1).normal(size=len(stream)))
    reference = reference_from(stream, label)
    judgement = verdict(of(stream[:rows], label[:rows]), reference, **policy)
    return {s.title: s.noise for s in judgement.statistics}


def test_more_rows_a_larger_budget_or_shorter_windows_of_it_change_the_noise_as_they_should() -> (
    None
):
    stream = np.random.default_rng(11).normal(size=40_000)
    usual = noises(stream, 500)
    fewer, richer, daily = (
        noises(stream, 250),
        noises(stream, 500, false_alarms_per_year=4),
        noises(stream, 500, every="1d"),
    )
    assert list(usual) == ALL
    for name, noise in usual.items():
        assert richer[name] < noise < fewer[name]
        assert noise < daily[name]


def test_autocorrelated_rows_widen_every_limit() -> None:
    rng = np.random.default_rng(12)
    plain, slow = (noises(ar(rng, 40_000, rho), 500) for rho in (0.0, 0.9))
    for name in (*SHAPE, "ks_labelled"):
        assert slow[name] > 1.5 * plain[name]


def test_a_window_larger_than_the_blocks_is_not_trusted_more_than_one() -> None:
    stream = np.random.default_rng(13).normal(size=40_000)
    block, twice = noises(stream, 2000), noises(stream, 4000)
    for name in (*SHAPE, *LABELLED):
        assert block[name] == pytest.approx(twice[name], rel=1e-9)
    for name in CLASSES:  # of which a block held a few rows more or less
        assert block[name] == pytest.approx(twice[name], rel=0.02)


def ar(rng: np.random.Generator, rows: int, rho: float) -> Floats:
    """Return a stationary AR(1) stream of unit variance."""
    noise = rng.normal(size=rows + 300) * np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1], [1, -rho], noise)[300:])


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_a_healthy_stream_opens_the_latch_no_more_often_than_its_budget(rho: float) -> None:
    """Only the noise limits act: a budget of one a year, over 40 years, each with a reference."""
    specs = {c: spec_of(**TINY, confirm=c) for c in ("never", "if_labelled")}
    opened = dict.fromkeys(specs, 0)
    years, rows, split = 40, 200, 30 * 200
    for seed in range(years):
        rng = np.random.default_rng(seed)
        stream = ar(rng, split + 52 * rows, rho)
        label = signs(1.2 * stream + ar(rng, len(stream), rho))
        reference = reference_from(stream[:split], label[:split], count=30)
        windows = [
            of(stream[i : i + rows], label[i : i + rows]) for i in range(split, len(stream), rows)
        ]
        for confirm, spec in specs.items():
            steps = fold("m", readings(windows, reference, spec), [], spec.latch).steps
            opened[confirm] += len({after.episode for _, after in steps} - {None})
    assert max(opened.values()) <= stats.poisson.ppf(0.999, years)
    assert min(opened.values()) >= years / 3  # and the limits are no wider than they must be


def readings(windows: list[Summary], reference: Reference, spec: ModelSpec) -> Iterator[Reading]:
    start = spec.window.start
    for week, window in enumerate(windows):
        said = judge_margins(window, reference, spec)
        span = Window(start + timedelta(weeks=week), start + timedelta(weeks=week + 1))
        yield Reading(span, 1, said.verdict, said.pressure)

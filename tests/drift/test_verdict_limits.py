"""Limits of verdicts: windows that could show nothing, noise, and the budget of false alarms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tasks.arrays import Floats
from tasks.drift.latch import Reading, fold
from tasks.drift.reference import Reference
from tasks.drift.summary import Summary
from tasks.drift.verdict import Judgement, judge_margins
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.support.judged import (
    ALL,
    CLASSES,
    LABELLED,
    SHAPE,
    TINY,
    ar,
    by_name,
    of,
    reference_from,
    signs,
    spec_of,
    verdict,
)


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

"""The error budget of a champion: what burns it, what leaves it, and when somebody is paged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drift.error_budget import (
    BudgetSpent,
    MetricSeen,
    looked_at,
    metric_of,
    metric_of_losses,
    spent,
)
from tasks.drift.loss_sums import Losses
from tasks.spec.policy_options import Slo
from tasks.spec.windows import Window

START = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)
SLO = Slo(budget=0.1)
METRICS = ("hinge_loss", "violation_rate", "error_rate", "cost")
values = st.none() | st.floats(0, 5)


def seen(
    *metrics: float | None, version: int = 1, reference: float | None = 0.4
) -> list[MetricSeen]:
    return [
        MetricSeen(
            window=Window(START + i * WEEK, START + (i + 1) * WEEK),
            version=version,
            value=value,
            reference=reference,
        )
        for i, value in enumerate(metrics)
    ]


def now(*metrics: float | None, windows: int = 12) -> BudgetSpent:
    return spent(SLO, windows, seen(*metrics))[-1]


def rates(at: BudgetSpent) -> tuple[float, float, float]:
    return at.last, at.sixth, at.whole


def test_what_lies_at_the_budget_above_the_reference_spends_it_in_just_the_slo_window() -> None:
    assert rates(now(*[0.5] * 12)) == pytest.approx((1, 1, 1))
    assert rates(now(*[0.5] * 6)) == pytest.approx((1, 1, 0.5))
    assert not now(*[0.5] * 12).pages
    assert now(*[0.51] * 12).exhausted


def test_what_lies_below_the_reference_pays_nothing_back() -> None:
    assert rates(now(0.5, 0.0, 0.0)) == pytest.approx((0, 0, 1 / 12))


def test_half_of_the_budget_in_a_sixth_of_the_window_pages_and_ends_with_the_next_good_window() -> (
    None
):
    assert not now(0.8).pages  # one of the two windows of a sixth
    assert now(0.8, 0.8).pages
    assert not now(0.8, 0.8, 0.4).pages


def test_where_a_sixth_is_one_window_one_bad_window_pages() -> None:
    assert now(0.8, windows=6).sixth_windows == 1
    assert now(0.8, windows=6).pages


def test_a_window_that_says_nothing_freezes_the_budget_and_is_counted() -> None:
    before, after = now(0.8, 0.8), now(0.8, 0.8, None, None)
    assert rates(after) == rates(before)
    assert (after.pages, after.judged, after.unseen) == (True, 2, 2)


def test_without_labels_there_is_no_budget_and_nobody_is_paged() -> None:
    told = now(None, None)
    assert (told.judged, told.unseen, told.pages, told.exhausted) == (0, 2, False, False)
    unknown = spent(SLO, 12, seen(0.9, 0.9, reference=None))[-1]
    assert (unknown.judged, unknown.pages) == (0, False)


def test_what_said_nothing_for_twice_the_slo_window_has_no_budget_any_more() -> None:
    assert now(0.8, *[None] * 23).judged == 1
    assert now(0.8, *[None] * 24).judged == 0


def test_a_new_version_starts_with_a_whole_budget() -> None:
    later = seen(0.8, 0.8) + seen(0.4, version=2)
    assert rates(spent(SLO, 12, later)[-1]) == (0, 0, 0)


def test_a_window_of_event_time_is_counted_in_windows_of_the_grid() -> None:
    assert Slo.model_validate({"window": "12w"}).windows(timedelta(days=14)) == 6
    assert Slo.model_validate({"window": "1d"}).windows(timedelta(days=14)) == 1
    assert Slo().windows(timedelta(hours=1)) == 12


@given(st.lists(values, min_size=1, max_size=40), st.integers(1, 24))
def test_the_budget_follows_from_the_newest_judged_windows_alone(
    metrics: list[float | None], windows: int
) -> None:
    told = now(*metrics, windows=windows)
    judged = [m for m in metrics[-looked_at(windows) :] if m is not None]
    assert told.judged == min(len(judged), windows)
    assert all(rate >= 0 for rate in rates(told))
    again = now(*judged[-windows:], windows=windows) if judged else told
    assert rates(again) == pytest.approx(rates(told))
    assert told.whole <= sum(max(m - 0.4, 0) for m in judged) / (windows * SLO.budget) + 1e-9


@given(st.lists(st.floats(0, 5), min_size=1, max_size=20), st.floats(0.01, 5))
def test_more_of_the_metric_never_burns_less(metrics: list[float], more: float) -> None:
    low, high = now(*metrics), now(*(m + more for m in metrics))
    assert all(a <= b for a, b in zip(rates(low), rates(high), strict=True))


def test_cost_is_what_the_decisions_cost_on_average() -> None:
    slo = Slo(metric="cost")
    costs = ((0.0, 1.0), (5.0, 0.5))
    # A quarter of class 0 is decided wrongly, half of class 1: 0.6·0.25·1 + 0.4·(0.5·5 + 0.5·0.5)
    assert metric_of(slo, {}, [(0.6, 0.25), (0.4, 0.5)], costs) == pytest.approx(1.25)


def test_the_metric_of_a_reference_is_that_of_its_losses() -> None:
    margins, label = np.array([2.0, 0.5, -1.0, 3.0]), np.array([0, 0, 1, 1])
    classes = Losses.by_class(margins, label, 2)
    losses = classes[0].merge(classes[1])
    told = {m: metric_of_losses(Slo(metric=m), losses, classes, ((0, 1), (4, 0))) for m in METRICS}
    assert told == {
        "hinge_loss": 0.625,
        "violation_rate": 0.5,
        "error_rate": 0.25,
        "cost": pytest.approx(1.0),
    }
    assert metric_of_losses(SLO, Losses(), [], None) is None

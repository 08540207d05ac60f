"""A candidate beside the champion: when it passes, fails, or waits."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger.records import Observation
from tasks.promotion.shadow import Outcome, judge_shadow
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.versions import candidate, seen


def spec(windows: int = 2, **parts: Any) -> ModelSpec:
    return ModelSpec.model_validate({**CHURN, "shadow": {"windows": windows}, **parts})


def judged(
    new: list[Observation], old: list[Observation], policy: ModelSpec | None = None
) -> Outcome:
    return judge_shadow(policy or spec(), candidate(2), candidate(1), new, old)


def days(version: int, *losses: float | None, **parts: Any) -> list[Observation]:
    return [seen(version, number, loss, **parts) for number, loss in enumerate(losses, 1)]


def test_it_waits_until_enough_windows_are_compared_and_then_passes() -> None:
    old = days(1, 0.5, 0.6)
    assert judged([], old).answer == "waiting"
    first = judged(days(2, 0.5), old)
    assert (first.answer, first.reason) == ("waiting", "1 of 2 shadow windows are compared")
    assert judged(days(2, 0.5, 0.6), old).answer == "passed"


def test_a_loss_above_the_champions_beyond_chance_fails_at_once() -> None:
    found = judged(days(2, 0.7), days(1, 0.5))
    assert found.answer == "failed"
    assert "on 1 labelled shadow windows" in found.reason
    assert "0.200 above that of version 1; chance shows 0.069" in found.reason


def test_a_rise_within_chance_passes() -> None:
    assert judged(days(2, 0.53, 0.53), days(1, 0.5, 0.5)).answer == "passed"


def test_small_rises_that_add_up_over_the_windows_fail() -> None:
    assert judged(days(2, 0.56, 0.56), days(1, 0.5, 0.5)).answer == "failed"


def test_a_window_that_is_hard_for_both_tells_nothing_against_the_candidate() -> None:
    new = [seen(2, 1, 1.9, "drifting"), seen(2, 2, 1.9, "drifting")]
    old = [seen(1, 1, 2.0, "drifting"), seen(1, 2, 2.0, "drifting")]
    assert judged(new, old).answer == "passed"


def test_without_labels_its_own_margins_must_not_breach_as_often_as_opens_the_latch() -> None:
    old = days(1, None, None, None)
    breaches = [seen(2, number, verdict="drifting") for number in (1, 2)]
    assert judged([breaches[0], seen(2, 2)], old).answer == "passed"
    found = judged(breaches, old)
    assert (found.answer, "in 2 of 2 shadow windows" in found.reason) == ("failed", True)


def test_a_single_unlabelled_shadow_window_fails_on_a_single_breach() -> None:
    one = spec(1)
    assert judged([seen(2, 1, verdict="drifting")], days(1, None), one).answer == "failed"


def test_windows_of_the_training_rows_do_not_count() -> None:
    found = judge_shadow(spec(1), candidate(2, until=2), candidate(1), days(2, 0.9), days(1, 0.5))
    assert (found.answer, found.compared) == ("waiting", ())


@pytest.mark.parametrize("other", [{"data": "other"}, {"spec": "other"}])
def test_only_the_same_rows_under_the_same_spec_are_compared(other: dict[str, str]) -> None:
    assert judged(days(2, 0.9, **other), days(1, 0.5)).compared == ()


def test_insufficient_windows_do_not_count_and_too_many_of_them_end_it() -> None:
    new = days(2, *[None] * 6, verdict="insufficient")
    old = days(1, *[None] * 6, verdict="insufficient")
    assert judged(new[:5], old).answer == "waiting"
    found = judged(new, old)
    assert found.answer == "failed"
    assert found.reason == (
        "0 of 2 shadow windows are compared, and 6 were insufficient; the newest: why"
    )


def test_a_window_that_only_the_champion_cannot_be_judged_on_counts_without_labels() -> None:
    old = days(1, None, None, verdict="insufficient")
    assert judged(days(2, 0.9, 0.9), old).answer == "passed"
    assert judged(days(2, 0.9, 0.9, verdict="drifting"), old).answer == "failed"


def test_where_labels_come_late_a_window_waits_for_them_as_long_as_they_may_come() -> None:
    late = spec(1, label={**CHURN["label"], "delay": "2d"})
    old = days(1, *[None] * 12)
    assert judged(days(2, None), old[:11], late).answer == "waiting"
    assert judged(days(2, None), old, late).answer == "passed"
    assert judged(days(2, 0.9), days(1, 0.5), late).answer == "failed"


losses = st.floats(0, 2)
windows = st.lists(
    st.tuples(losses, losses, st.sampled_from(["steady", "drifting", "insufficient"])), max_size=8
)


@given(windows, st.randoms(use_true_random=False))
def test_the_order_of_observations_makes_no_difference(
    drawn: list[tuple[float, float, str]], rng: random.Random
) -> None:
    new = [seen(2, k, a, verdict) for k, (a, _, verdict) in enumerate(drawn, 1)]
    old = [seen(1, k, b) for k, (_, b, _) in enumerate(drawn, 1)]
    before = judged(new, old)
    rng.shuffle(new)
    rng.shuffle(old)
    assert judged(new, old) == before


@given(windows)
def test_what_is_decided_stays_so_when_more_windows_come(
    drawn: list[tuple[float, float, str]],
) -> None:
    new = [seen(2, k, a, verdict) for k, (a, _, verdict) in enumerate(drawn, 1)]
    old = [seen(1, k, b) for k, (_, b, _) in enumerate(drawn, 1)]
    answers = [judged(new[:k], old[:k]).answer for k in range(len(drawn) + 1)]
    decided = [a for a in answers if a != "waiting"]
    assert len(set(decided)) <= 1


def test_a_spec_has_no_shadow_unless_it_says_so(spec: Callable[..., ModelSpec]) -> None:
    assert spec().shadow.windows == 0

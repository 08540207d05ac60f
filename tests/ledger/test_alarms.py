"""How often the latches opened in a year, what ended that, and what chance explains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.alarms import alarms_of, most_by_chance
from tasks.ledger.reader import ModelRows
from tasks.ledger.records import Observation, Promotion
from tasks.ledger.status import Status, folded
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.rows import observation

EVERY = "30d"  # so that a year is a dozen windows


def windows(spec: ModelSpec, verdicts: str) -> list[Observation]:
    """Return a window for each letter: `d` drifts, `s` is steady, `i` says nothing."""
    start, every = spec.window.start, spec.window.every
    told = {"d": ("drifting", 2.0), "s": ("steady", 0.1), "i": ("insufficient", None)}
    return [
        observation(
            window_start=start + k * every,
            window_end=start + (k + 1) * every,
            verdict=told[letter][0],
            pressure=told[letter][1],
        )
        for k, letter in enumerate(verdicts)
    ]


def status_of(spec: ModelSpec, verdicts: str, promoted_at: Iterable[int] = ()) -> Status:
    """Return what such windows fold to; a promotion rules from the window of its number on."""
    promotions = [
        Promotion(
            model="churn",
            number=number,
            proposal=f"p{number}",
            version=1,
            expected=None,
            effective_from=spec.window.start + at * spec.window.every,
            by="ada",
            reason="why",
        )
        for number, at in enumerate((0, *promoted_at), 1)
    ]
    return folded(
        spec,
        ModelRows(
            observations=windows(spec, verdicts),
            proposals=[],
            decisions=[],
            candidates=[],
            promotions=promotions,
            freezes=[],
        ),
    )


@pytest.fixture
def yearly(spec: Callable[..., ModelSpec]) -> ModelSpec:
    return spec(window={"every": EVERY}, latch={"rest": "0d"})


@pytest.mark.parametrize(
    ("verdicts", "promoted_at", "promoted", "closed", "open_"),
    [
        ("ssss", (), 0, 0, 0),
        ("sdd", (), 0, 0, 1),
        ("sddsss", (), 0, 1, 0),
        ("sddsssddsssdd", (), 0, 2, 1),
        ("sdds", (3,), 1, 0, 0),
        ("sdd", (3,), 1, 0, 0),  # promoted, and no window since then
        ("sdddd", (3,), 1, 0, 1),  # and the next one drifts as well
        ("sddsss", (1,), 0, 1, 0),  # what was promoted before it opened did not end it
        ("sddiiisss", (), 0, 1, 0),
        ("", (), 0, 0, 0),
    ],
)
def test_an_opening_counts_by_what_ended_it(
    yearly: ModelSpec,
    verdicts: str,
    promoted_at: tuple[int, ...],
    promoted: int,
    closed: int,
    open_: int,
) -> None:
    found = alarms_of(status_of(yearly, verdicts, promoted_at))["drift"].openings
    assert found == {"promoted": promoted, "closed": closed, "open": open_}


def test_what_opened_more_than_a_year_of_event_time_ago_does_not_count(yearly: ModelSpec) -> None:
    for steady, counted in ((10, 1), (13, 0)):
        known = status_of(yearly, "dds" + "s" * steady)
        assert alarms_of(known)["drift"].openings["closed"] == counted


@given(st.text("dsi", max_size=12), st.sets(st.integers(1, 12), max_size=3))
def test_each_episode_is_counted_and_only_the_one_that_stands_is_open(
    verdicts: str, promoted_at: set[int]
) -> None:
    spec = ModelSpec.model_validate({**CHURN, "window": {**CHURN["window"], "every": EVERY}})
    known = status_of(spec, verdicts, sorted(promoted_at))
    found = alarms_of(known)["drift"].openings
    episodes = {latch.episode for _, latch in known.history.steps} - {None}
    assert sum(found.values()) >= len(episodes)
    assert found["open"] == (known.history.now.episode is not None)


def test_what_is_allowed_is_what_the_spec_says_of_each_latch(
    spec: Callable[..., ModelSpec],
) -> None:
    one = spec(drift={"false_alarms_per_year": 2, "calibration": {"false_alarms_per_year": 0.1}})
    found = alarms_of(status_of(one, ""))
    assert {name: one.allowed for name, one in found.items()} == {"drift": 2, "calibration": 0.1}
    assert {name: one.by_chance for name, one in found.items()} == {"drift": 5, "calibration": 1}


@settings(deadline=None)  # the first one imports scipy
@given(st.floats(1e-9, 1e3))
def test_what_chance_explains_is_the_percentile_of_poisson(expected: float) -> None:
    from scipy.stats import poisson

    limit = most_by_chance(expected)
    assert math.isclose(limit, poisson.ppf(0.95, expected), abs_tol=1 if expected > 100 else 0)

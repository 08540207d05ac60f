"""Figures are thinned by a policy: the chain holds, the fold is the same, and nothing else goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.audit.events import events
from tasks.drift.statistic import Statistic
from tasks.ledger import expiring, status
from tasks.ledger.chain import LedgerRefused
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Expiry, Observation
from tasks.ledger.tables import OBSERVATIONS
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.again import write_again
from tests.support.forging import as_owner, fault, forge, version
from tests.support.rows import day, observation

SPEC = ModelSpec.model_validate(CHURN)
POLICY = "retention.figures: 3d"


def window(number: int, **parts: Any) -> Observation:
    figures = {
        "accepted": 300,
        "labelled": 300,
        "features": [{"feature": "x", "shift": 0.1, "spread": 1.0}],
        "report": "reports/churn/validation-1.html",
        "statistics": [vars(Statistic("ks", 0.1 + 0.2, 0.1, 0.05))],
        "calibration": {"verdict": "drifting", "pressure": 1.25, "table": {"said": [0.5]}},
    }
    return observation(number, figures=figures, **parts)


def six_windows(ledger: Ledger) -> None:
    version(ledger, 1)
    for number in range(9, 15):
        ledger.observe(window(number))


@pytest.fixture
def past(ledger: Ledger) -> Ledger:
    write_again(ledger, six_windows)
    return ledger


def expire(ledger: Ledger, until: int = 12) -> Expiry | None:
    thin = partial(expiring.thin, model="churn", until=day(until), by="ada", policy=POLICY)
    return ledger.alone("churn", thin)


def test_what_is_thinned_is_recorded_and_the_ledger_still_verifies(past: Ledger) -> None:
    before = past.trail("churn")
    made = expire(past)
    assert made is not None
    assert (made.number, made.kind, len(made.expired)) == (1, "figures", 3)
    after = past.trail("churn")
    assert fault(past) is None
    assert after.links[:-1] == before.links
    seen = past.history("churn")
    assert ["features" in o.figures for o in seen] == [False] * 3 + [True] * 3
    assert seen[0].numbers.statistics == window(9).numbers.statistics
    assert seen[0].figures["expired"]["policy"] == POLICY
    assert expire(past) is None
    told = events(after)[-1]
    assert told.what == "figures of windows thinned up to 2026-01-12: 3"
    assert (told.by, told.why) == ("ada", POLICY)


def test_the_state_is_the_same_and_a_window_run_again_is_the_one_of_then(past: Ledger) -> None:
    before = status.read(SPEC, past)
    expire(past)
    after = status.read(SPEC, past)
    assert (after.history, after.calibration) == (before.history, before.calibration)
    assert past.observe(window(9)).figures["expired"]["number"] == 1
    assert past.observe(window(9, data_digest="late labels")).revision == 1
    assert expire(past) is not None
    assert fault(past) is None


def edit(ledger: Ledger, change: Callable[[dict[str, Any]], Any]) -> None:
    c = OBSERVATIONS.c
    with ledger._engine.begin() as link:
        found = link.execute(sa.select(c.id, c.figures).order_by(c.id).limit(1)).one()
        link.execute(sa.update(OBSERVATIONS).where(c.id == found.id).values(change(found.figures)))


CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "emptied": lambda figures: {"figures": {}},
    "a verdict": lambda figures: {"verdict": "drifting"},
    "called expired": lambda figures: {"figures": {**figures, "expired": {"number": 1}}},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("expired", [False, True])
def test_nothing_else_of_a_window_can_be_changed(past: Ledger, change: str, expired: bool) -> None:
    if expired:
        expire(past)
    if expired and change == "called expired":
        change = "a verdict"  # the database lets figures that are expired be thinned further …
    with pytest.raises(sa.exc.DBAPIError, match="append-only: observations refuses UPDATE"):
        edit(past, CHANGES[change])


def test_figures_that_are_thinned_further_than_the_expiry_says_are_found(past: Ledger) -> None:
    expire(past)
    edit(past, lambda figures: {"figures": {"expired": figures["expired"]}})
    assert fault(past) is not None
    assert "is not as it was recorded" in str(fault(past))


@pytest.mark.parametrize("change", CHANGES)
def test_figures_that_went_without_a_word_are_found(past: Ledger, change: str) -> None:
    with as_owner(past) as link:
        first = link.execute(sa.select(OBSERVATIONS).order_by(OBSERVATIONS.c.id)).mappings().first()
        assert first is not None
        values = CHANGES[change](dict(first["figures"]))
        link.execute(sa.update(OBSERVATIONS).where(OBSERVATIONS.c.id == first["id"]).values(values))
    assert "is not as it was recorded" in str(fault(past))


def test_an_expiry_that_no_worker_signed_excuses_nothing(past: Ledger) -> None:
    from tasks.ledger import chain

    row = dict(past.trail("churn").rows["observations", 1])
    row["figures"] = {"expired": {"number": 1}}
    digest = chain.thinned_digest("observations", row)
    forge(
        past,
        "expiries",
        model="churn",
        number=1,
        kind="figures",
        until=day(12),
        by="mallory",
        policy=POLICY,
        expired={"1": digest},
    )
    edit(past, lambda figures: {"figures": row["figures"]})
    assert "of expiries" in str(fault(past))
    assert "is not signed" in str(fault(past))
    with pytest.raises(LedgerRefused, match="not signed"):
        past.observe(window(20))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.integers(8, 20), min_size=1, max_size=5))
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_in_whatever_steps_windows_expire_the_ledger_verifies(past: Ledger, steps: Any) -> None:
    known = status.read(SPEC, past).history
    for until in steps:
        expire(past, until)
        assert fault(past) is None
    assert status.read(SPEC, past).history == known

"""Where a report begins if nobody says so: enough to review, and never in the middle of a story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger.ledger import Ledger
from tasks.reports.report_period import CALM, REVIEWED, NoPeriod, period_of
from tests.support.stood import MakeSpec, at, known, ledger_in, seen


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = ledger_in(tmp_path)
    yield ledger
    ledger._engine.dispose()


def test_a_calm_model_is_reviewed_over_its_newest_windows(spec: MakeSpec, ledger: Ledger) -> None:
    read = known(spec(), ledger, *(seen(number) for number in range(20)))
    period = period_of(read, None, None)
    assert (period.since, period.until) == (at(20 - REVIEWED), None)
    assert f"newest {REVIEWED} windows" in period.why
    earlier = period_of(read, None, at(15))
    assert (earlier.since, earlier.until) == (at(15 - REVIEWED), at(15))


def test_an_episode_that_reaches_into_them_is_told_from_its_beginning(
    spec: MakeSpec, ledger: Ledger
) -> None:
    many = [seen(number, 1.5 if number >= 6 else 0.4) for number in range(24)]
    period = period_of(known(spec(), ledger, *many), None, None)
    assert period.since == at(6 - CALM)
    assert "the episode churn.v1.20260115T0000" in period.why


def test_an_episode_that_ended_before_them_is_left_out(spec: MakeSpec, ledger: Ledger) -> None:
    many = [seen(number, 1.5 if 2 <= number < 5 else 0.4) for number in range(30)]
    assert period_of(known(spec(), ledger, *many), None, None).since == at(30 - REVIEWED)


def test_a_model_without_a_window_has_a_period_all_the_same(spec: MakeSpec, ledger: Ledger) -> None:
    period = period_of(known(spec(), ledger), None, None)
    assert (period.since, period.until) == (None, None)
    assert period.holds(at(-9999))


def test_a_period_that_ends_before_it_begins_is_refused(spec: MakeSpec, ledger: Ledger) -> None:
    with pytest.raises(NoPeriod, match=r"--from 2026-01-12 00:00 is not before --to 2026-01-11"):
        period_of(known(spec(), ledger), at(3), at(2))


def test_a_window_that_lies_in_it_in_part_belongs_to_it(spec: MakeSpec, ledger: Ledger) -> None:
    read = known(spec(), ledger, *(seen(number) for number in range(4)))
    half = (at(1) - at(0)) / 2
    period = period_of(read, at(1) + half, at(2) + half)
    assert [o.window_start for o in read.observations if period.touches(o)] == [at(1), at(2)]

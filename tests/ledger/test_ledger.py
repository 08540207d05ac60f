"""The ledger on SQLite and PostgreSQL: natural keys, revisions, compare-and-set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from tasks.ledger.conflicts import Conflict
from tasks.ledger.ledger import Ledger
from tests.support.rows import day, decision, observation, promote, proposal, registered


def test_observing_twice_is_a_no_op(ledger: Ledger) -> None:
    assert ledger.observe(observation()) == ledger.observe(observation()) == observation()
    assert ledger.history("churn") == [observation()]


@pytest.mark.parametrize("other", [{"verdict": "drifting"}, {"pressure": 0.2}, {"figures": {}}])
def test_other_figures_from_the_same_data_and_spec_are_a_conflict(
    ledger: Ledger, other: dict[str, Any]
) -> None:
    ledger.observe(observation())
    with pytest.raises(Conflict, match=f"differs in {next(iter(other))}"):
        ledger.observe(observation(**other))
    assert ledger.history("churn") == [observation()]


@pytest.mark.parametrize("digest", ["data_digest", "spec_digest"])
def test_new_data_is_a_new_revision_and_going_back_is_one_again(
    ledger: Ledger, digest: str
) -> None:
    old, new = observation(), observation(verdict="drifting", **{digest: "new"})
    for written in (old, new, new, old):
        ledger.observe(written)
    revisions = [(o.revision, o.verdict) for o in ledger.history("churn")]
    assert revisions == [(0, "steady"), (1, "drifting"), (2, "steady")]
    assert ledger.observation("churn", 1, old.window) == replace(old, revision=2)


def test_each_window_is_shown_under_its_champion_only(ledger: Ledger) -> None:
    promote(ledger, 1, None, since=1)
    promote(ledger, 2, 1, since=4)
    for version in (1, 2):
        for number in (5, 4, 3, 2):
            ledger.observe(observation(number, version=version))
    ledger.observe(observation(2, data_digest="new"))
    seen = [(o.window_start.day, o.version, o.revision) for o in ledger.observations("churn")]
    assert seen == [(2, 1, 1), (3, 1, 0), (4, 2, 0), (5, 2, 0)]
    assert ledger.observations("other") == []


def test_proposing_twice_returns_the_first_row_unchanged(ledger: Ledger) -> None:
    ledger.propose(proposal())
    assert ledger.propose(proposal(trained_until=day(12), reason="later")) == proposal()
    assert ledger.proposals("churn") == [proposal()]


def test_a_step_is_decided_once(ledger: Ledger) -> None:
    ledger.decide(decision())
    assert ledger.decide(decision(effective_from=day(12), comment="again")) == decision()
    for other in (decision("rejected"), decision(by="grace"), decision(evidence="other")):
        with pytest.raises(Conflict, match="a different decision is already recorded"):
            ledger.decide(other)
    ledger.decide(decision(step="promote"))
    assert [d.step for d in ledger.decisions("churn")] == ["retrain", "promote"]


def test_a_candidate_is_added_once(ledger: Ledger) -> None:
    candidate = registered()
    for _ in range(2):
        assert ledger.add_candidate(candidate) == candidate
    with pytest.raises(Conflict, match="differs in run_id"):
        ledger.add_candidate(replace(candidate, run_id="other"))
    with pytest.raises(Conflict, match="version 1 is the candidate of p1"):
        ledger.add_candidate(replace(candidate, proposal="p2"))
    assert ledger.candidate("churn", 1) == candidate
    assert ledger.candidate("churn", 2) is None


def test_promoting_twice_for_one_proposal_is_one_row(ledger: Ledger) -> None:
    first = promote(ledger, 1, None)
    assert promote(ledger, 1, None, since=20) == first
    second = promote(ledger, 2, 1)
    assert promote(ledger, 1, None) == first
    assert ledger.promotions("churn") == [first, second]


def test_a_promotion_against_another_champion_names_who_is_there(ledger: Ledger) -> None:
    promote(ledger, 1, None)
    with pytest.raises(Conflict, match=r"version 1 \(promoted by ada, p1\); nothing was changed"):
        promote(ledger, 2, None)
    assert [p.version for p in ledger.promotions("churn")] == [1]


def test_times_come_back_in_utc(ledger: Ledger) -> None:
    zone = timezone(timedelta(hours=-5))
    ledger.propose(proposal(trained_from=day(1).astimezone(zone)))
    ledger.observe(observation(window_start=day(1).astimezone(zone)))
    (asked,), (seen,) = ledger.proposals("churn"), ledger.history("churn")
    for moment in (asked.trained_from, seen.window_start):
        assert (moment, moment.utcoffset()) == (day(1), timedelta(0))
    assert ledger.observation("churn", 1, observation().window) == observation()


def test_reasons_and_comments_of_any_length_are_kept(ledger: Ledger) -> None:
    long = "has no column 'x'; " * 500
    ledger.observe(observation(reason=long))
    ledger.decide(decision(comment=long))
    assert ledger.history("churn")[0].reason == ledger.decisions("churn")[0].comment == long

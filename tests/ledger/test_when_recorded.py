"""When rows were first recorded, and what was told: read back on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Delivery, Notice
from tests.support import forging
from tests.support.rows import day, decision, observation, promote, proposal, registered

CLAIM = Notice(
    model="churn", event="e", channel="owners", attempt=1, severity="info", message="said"
)
END = Delivery(
    model="churn",
    event="e",
    channel="owners",
    attempt=1,
    outcome="failed",
    detail="it answered 500",
)


def test_what_is_recorded_is_known_by_its_first_moment(ledger: Ledger) -> None:
    began = datetime.now(UTC)
    ledger.observe(observation(9))
    first = ledger.when_recorded("churn").windows
    ledger.observe(observation(9, data_digest="later labels"))
    ledger.propose(proposal())
    forging.ask(ledger, "p1", "retrain")
    ledger.decide(decision())
    ledger.add_candidate(registered())
    promote(ledger, 1, None)
    found, ended = ledger.when_recorded("churn"), datetime.now(UTC)
    assert found.windows == first
    assert [(window.start, version) for window, version in first] == [(day(9), 1)]
    assert found.asked.keys() == found.decided.keys() == {("p1", "retrain")}
    assert [q.asked for q in found.questions] == [forging.ASKED]
    for moment in (*first.values(), found.asked["p1", "retrain"], found.promoted[1]):
        assert began <= moment <= ended
    assert found.newest == found.promoted[1]


def test_a_claim_is_one_process_and_its_end_is_found_with_it(ledger: Ledger) -> None:
    assert ledger.claim(CLAIM)
    assert not ledger.claim(replace(CLAIM, severity="page", message="by another"))
    (claimed,) = ledger.when_recorded("churn").attempts
    assert (claimed.event, claimed.channel, claimed.attempt) == ("e", "owners", 1)
    assert (claimed.outcome, claimed.ended_at) == (None, None)
    ledger.deliver(END)
    ledger.deliver(replace(END, outcome="told"))  # how it ended is said once
    assert ledger.claim(replace(CLAIM, attempt=2))
    ended, open_ = ledger.when_recorded("churn").attempts
    assert (ended.outcome, ended.detail) == ("failed", "it answered 500")
    assert ended.ended_at is not None
    assert ended.ended_at >= ended.claimed_at
    assert (open_.attempt, open_.outcome) == (2, None)
    assert ledger.when_recorded("other").attempts == ()
    assert forging.fault(ledger) is None

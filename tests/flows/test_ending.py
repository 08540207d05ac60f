"""Every proposal ends, its end is said, and what it was about is asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.classifier.training import TrainingError
from tasks.doctor.model_check import proposal_findings
from tasks.drift import latch
from tasks.flows import asking, ending, monitor, ready, retrain
from tasks.ledger import status
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision
from tasks.ledger.status_json import status_json
from tasks.promotion import decisions, proposals
from tasks.promotion.proposals import NotApproved, NotDue
from tasks.promotion.time_left import time_is_up
from tasks.spec.training_options import Training
from tests.support.flow import (
    EPISODE,
    FIRST,
    MODEL,
    At,
    answer,
    beginning,
    day,
    file,
    promote,
    propose,
    read,
    watch,
)

LATER = datetime.now(UTC) + timedelta(days=365)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def runs(what: ending.Run) -> ending.RunOf:
    return lambda dag, run: what


def test_a_step_that_failed_for_good_ends_its_proposal_once_and_the_latch_does_not_rest(
    at: At,
) -> None:
    at("drifted")
    propose()
    said = ending.end(MODEL, FIRST, "retrain.churn", "train: no rows")
    assert said is not None
    assert (said.step, said.answer, said.comment) == ("run", "ended", "train: no rows")
    assert ending.end(MODEL, FIRST, "monitor", "something else") is None
    known = read()
    assert (known.live, known.history.now.state) == ([], "open")
    with pytest.raises(NotApproved, match=r"run was ended by retrain\.churn"):
        retrain.train(MODEL, FIRST)


def test_the_monitor_ends_what_waits_after_the_moment_that_the_metrics_name(at: At) -> None:
    at("drifted")
    propose()
    known, ledger = read(), Ledger.open()
    (waiting,) = known.live
    until = time_is_up(known, ledger, waiting, ledger.touched("churn")[FIRST])
    assert until is not None
    assert ending.notice(MODEL, runs("active"), until) == []
    (told,) = ending.notice(MODEL, runs("active"), until + timedelta(microseconds=1))
    assert "longer than approval.timeout" in told
    assert not read().live


def test_what_ended_is_asked_again_after_one_two_and_four_windows_and_then_it_is_said_loudly(
    at: At,
) -> None:
    at("drifted")
    asked, watched = [], 10
    for _ in range(latch.MOST_IN_A_ROW):
        while (name := read().due) is None:
            watched += 1
            again(watched)
        asked.append((name, watched))
        propose(name)
        ending.end(MODEL, name, "retrain.churn", "train: no rows")
        action = monitor.action(MODEL)
        assert action is not None
        assert "the latch is open and nobody is asked" in str(action.silence)
    assert asked == [(f"{EPISODE}.{k}", n) for k, n in ((1, 10), (2, 11), (3, 13), (4, 17))]
    for number in range(18, 30):
        again(number)
    assert read().due is None
    silence = read().silence
    assert silence is not None
    assert "4 proposals in a row ended so" in silence
    assert "train: no rows" in silence
    assert "trigger retrain.churn by hand" in silence
    propose("by hand")  # which it does not stand in the way of


def again(number: int) -> None:
    """Observe a day like the newest one."""
    ledger = Ledger.open()
    newest = ledger.observations("churn")[-1]
    ledger.observe(
        replace(newest, window_start=day(number), window_end=day(number + 1), revision=0)
    )


def test_a_person_who_refuses_between_two_dead_runs_begins_the_count_anew(at: At) -> None:
    at("drifted")
    propose()
    ending.end(MODEL, FIRST, "monitor", "gone")
    again(11)
    propose(f"{EPISODE}.2")
    decisions.decide(MODEL, f"{EPISODE}.2", "retrain", answer(option="Reject"))
    again(12)
    assert (read().due, read().history.now.state) == (None, "resting")
    again(13)
    assert read().due == f"{EPISODE}.3"


@pytest.mark.parametrize(
    ("run", "idle", "why"),
    [
        ("over", timedelta(), "is over, and decided nothing"),
        ("gone", timedelta(hours=1), "is gone: it was deleted, or died"),
        ("active", timedelta(days=5), "longer than approval.timeout (3d) allows; is retrain.churn"),
    ],
)
def test_the_monitor_notices_a_proposal_that_nobody_works_on(
    at: At, run: ending.Run, idle: timedelta, why: str
) -> None:
    at("drifted")
    propose()
    (told,) = ending.notice(MODEL, runs(run), datetime.now(UTC) + idle)
    assert told.startswith(f"{FIRST} has ended: ")
    assert why in told
    assert read().decisions[-1].by == "monitor"
    assert ending.notice(MODEL, runs(run), LATER) == []


@pytest.mark.parametrize("run", ["gone", "active"])
def test_a_proposal_that_has_just_begun_is_left_alone(at: At, run: ending.Run) -> None:
    at("drifted")
    propose()
    assert ending.notice(MODEL, runs(run), datetime.now(UTC)) == []
    assert [p.proposal for p in read().live] == [FIRST]


def test_a_spec_that_changes_while_a_question_waits_ends_it_and_asks_anew(at: At) -> None:
    at("drifted")
    propose()
    other = MODEL.model_copy(update={"training": Training(window=timedelta(days=2), judge=0.5)})
    (told,) = ending.notice(other, runs("active"), datetime.now(UTC))
    assert "the spec of churn has changed since it was proposed" in told
    # Who answers it all the same is told, and nothing is recorded.
    late = decisions.decide(other, FIRST, "retrain", answer())
    assert (late.step, late.answer) == ("run", "ended")
    again(11)
    assert status.read(other, Ledger.open()).due == f"{EPISODE}.2"


def test_what_was_proposed_against_an_earlier_champion_ends_and_waits_for_nobody(at: At) -> None:
    at("registered")
    propose("by hand")
    assert ending.notice(MODEL, runs("active"), day(20)) == []
    promote(FIRST)
    (found,) = proposal_findings(read(), {}, day(20))
    assert "the proposal by hand was made on another champion" in found.finding
    (told,) = ending.notice(MODEL, runs("active"), day(20))
    assert told == "by hand has ended: version 2 became champion since it was proposed"
    assert read().live == []


def test_an_answer_that_does_not_count_does_not_silence_a_model(at: At) -> None:
    at("drifted")
    propose()
    assert decisions.decide(MODEL, FIRST, "retrain", answer(by="mallory")).answer == "invalid"
    assert (read().history.now.state, read().due) == ("open", None)
    again(11)
    assert read().due == f"{EPISODE}.2"


def test_what_a_person_proposed_rests_no_latch_and_holds_up_no_episode(at: At) -> None:
    at("drifted")
    propose("by hand")
    assert read().due == FIRST
    decisions.decide(MODEL, "by hand", "retrain", answer(option="Reject"))
    assert (read().due, read().history.now.state) == (FIRST, "open")
    propose("another")
    proposals.withdraw(MODEL, "another", "otto", "not today")
    assert read().due == FIRST


def test_a_refusal_rests_from_the_newest_observed_window_whatever_rows_it_was_about(
    at: At,
) -> None:
    at("drifted")
    known = read()
    propose()
    asked = replace(read().proposals[-1], proposal=f"{EPISODE}.7", trained_until=day(300))
    Ledger.open().propose(asked)
    decisions.decide(MODEL, asked.proposal, "retrain", answer(option="Reject"))
    assert read().decisions[-1].effective_from == known.observed_until == day(11)


def test_a_run_id_that_somebody_else_took_does_not_stop_an_episode(at: At) -> None:
    at("drifted")
    taken = f"{EPISODE}.5"  # .1 to .4 were taken in Airflow, and mean nothing to the ledger
    propose(taken)
    (mine,) = read().proposals[1:]
    assert (mine.episode, mine.proposer) == (EPISODE, "gatelatch")
    ending.end(MODEL, taken, "monitor", "gone")
    again(11)
    assert read().due == f"{EPISODE}.6"
    with pytest.raises(NotDue, match="this number is past"):
        propose(FIRST)


def test_a_withdrawal_says_why(at: At) -> None:
    at("drifted")
    propose()
    with pytest.raises(NotApproved, match="say why"):
        proposals.withdraw(MODEL, FIRST, "otto", "\u200b ")
    assert [p.proposal for p in read().live] == [FIRST]


def test_a_step_quotes_our_own_errors_alone_as_others_may_hold_a_row() -> None:
    assert ending.reason("train", TrainingError("no rows")) == "train: no rows"
    told = ending.reason("train", ValueError("could not convert 'secret'"))
    assert told == "train failed with ValueError; its log in Airflow says more"
    assert "secret" not in ending.reason("train", "could not convert 'secret'")


def test_the_rows_are_counted_before_anybody_is_asked_and_the_brief_shows_them(at: At) -> None:
    at("drifted")
    propose()
    asked = read().proposals[-1]
    counted = ready.count(MODEL, asked)
    assert (counted.rows, counted.labelled, counted.quarantined) == (600, 600, 0)
    assert [sum(part.values()) for part in (counted.fit, counted.calibrate, counted.judge)] == [
        390,
        90,
        120,
    ]
    body = asking.to_retrain(MODEL, asked, "/dags/here", counted)["body"]
    assert "600 labelled of 600" in body
    assert "| judge (newest) | 120 |" in body


def test_a_brief_never_asks_about_rows_that_are_not_there(at: At) -> None:
    at("drifted")
    propose("too early", training_window=timedelta(days=2), until=day(1))
    with pytest.raises(TrainingError, match="holds no row"):
        ready.count(MODEL, read().proposals[-1])


def test_rows_of_one_class_and_rows_without_labels_are_named_before_anybody_is_asked(
    at: At,
) -> None:
    from tests.support.flow import land

    at("drifted")
    asked = None
    for columns, told in (
        ({"y": [1] * 300}, "has no row of class 0"),
        ({"y": [None] * 300}, "0 labelled rows cannot be cut"),
    ):
        for number in (9, 10):
            land(number, **columns)
        propose(told)
        asked = read().proposals[-1]
        with pytest.raises(TrainingError, match=told):
            ready.count(MODEL, asked)


def test_a_bootstrap_takes_the_newest_rows_that_exist(at: At) -> None:
    at("bootstrapped")  # rows until the 15th
    Ledger.open()
    fresh = MODEL.model_copy(update={"model": "fresh"})
    asked = proposals.propose(
        fresh,
        "boot",
        reason="bootstrap",
        proposer="otto",
        training_window=timedelta(days=5),
        until=None,
        now=day(400),
    )
    assert (asked.trained_from, asked.trained_until) == (day(10), day(15))
    assert ready.count(fresh, asked).labelled == 5 * 300


def test_a_source_without_a_row_is_named_and_nothing_is_proposed(at: At) -> None:
    at("bootstrapped")
    for number in range(1, 15):
        file(number).unlink()
    fresh = MODEL.model_copy(update={"model": "fresh"})
    with pytest.raises(NotApproved, match=r"holds no row before .* nothing to train on; land"):
        propose("boot", spec=fresh, training_window=timedelta(days=5))
    assert Ledger.open().proposals("fresh") == []


def test_rows_of_the_future_are_refused_with_the_newest_there_can_be(at: At) -> None:
    at("bootstrapped")
    with pytest.raises(NotApproved, match=r"lies in the future, .* ends at 2026-01-20"):
        propose("late", until=day(21))


def test_status_says_who_is_asked_next_or_why_nobody_is(at: At) -> None:
    at("drifted")
    assert status_json(read())["due"] == FIRST
    propose()
    assert (read().due, read().silence) == (None, None)
    ending.end(MODEL, FIRST, "retrain.churn", "train: no rows")
    told = status_json(read())
    assert told["due"] is None
    assert told["nobody_asked"].endswith(
        "(train: no rows); it is asked again after the next window"
    )


def test_a_decision_is_never_made_on_a_proposal_that_has_ended(at: At) -> None:
    at("registered")
    ending.end(MODEL, FIRST, "retrain.churn", "register: MLflow is gone")
    decision = decisions.decide(MODEL, FIRST, "promote", answer())
    assert (decision.step, decision.answer) == ("run", "ended")
    assert [d.step for d in read().decisions if d.proposal == FIRST] == ["retrain", "run"]


def test_a_foreign_row_that_ends_a_proposal_twice_changes_nothing(at: At) -> None:
    at("drifted")
    propose()
    for answer_ in ("ended", "withdrawn"):
        Ledger.open().decide(
            Decision(
                model="churn",
                proposal=FIRST,
                step=f"by {answer_}",
                answer=answer_,
                by="x",
                comment="",
                evidence="",
                effective_from=day(11),
            )
        )
    assert not read().live
    watch(11)
    assert read().due is None  # a refusal among them rests the latch

"""Retrain without Airflow: who may approve, and that no step acts without it or doubles."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.flows import ready, retrain, rollback
from tasks.ledger.conflicts import Conflict
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposals import NotApproved, NotDue
from tasks.registry import tracking
from tasks.spec.approval_options import Owner
from tasks.spec.gate_options import Gate, Gates
from tasks.spec.training_options import Training
from tests.support.flow import (
    EPISODE,
    FIRST,
    MODEL,
    At,
    alias,
    answer,
    beginning,
    day,
    gate,
    promote,
    propose,
    read,
    register,
    watch,
)


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


REFUSALS = {
    "rejected": answer(option="Reject"),
    "no_answer": {"chosen_options": ["Reject"], "responded_by_user": None},
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_after_a_refusal_the_second_proposal_waits_until_the_latch_has_rested(
    at: At, refusal: str
) -> None:
    at("drifted")
    propose()
    decision = decisions.decide(MODEL, FIRST, "retrain", REFUSALS[refusal])
    assert decision.answer == refusal
    with pytest.raises(NotApproved, match=refusal):
        retrain.train(MODEL, FIRST)
    due = []
    for number in (11, 12):
        watch(number)
        due.append(read().due)
    assert due == [None, f"{EPISODE}.2"]


@pytest.mark.parametrize(
    ("proposer", "by", "why"),
    [("ada", "ada", "proposed this"), ("otto", "otto", "not in owner.approvers")],
)
def test_neither_the_proposer_nor_a_stranger_can_approve(
    at: At, proposer: str, by: str, why: str
) -> None:
    at("drifted")
    propose("by hand", proposer=proposer)
    decision = decisions.decide(MODEL, "by hand", "retrain", answer(by))
    assert decision.answer == "invalid"
    assert why in decision.comment


@pytest.mark.parametrize("name", [FIRST, "churn.v1.20260108T0000.1", "churn.v9.anything"])
def test_a_person_cannot_take_a_name_of_the_monitors(at: At, name: str) -> None:
    at("drifted")
    with pytest.raises(NotApproved, match="a number; trigger again and leave the run id"):
        propose(name, proposer="ada", by_monitor=False)
    assert read().due == FIRST


def test_what_a_person_proposes_is_their_own_whatever_they_ask_for(at: At) -> None:
    at("drifted")
    propose("by hand", proposer="ada")
    (mine,) = read().proposals[1:]
    assert (mine.proposer, mine.episode) == ("ada", None)


def test_what_the_monitor_proposes_takes_the_specs_rows_whatever_the_form_says(at: At) -> None:
    at("drifted")
    propose(proposer="ada", training_window=timedelta(days=3), until=day(9))
    (mine,) = read().proposals[1:]
    assert (mine.proposer, mine.episode) == ("gatelatch", EPISODE)
    assert (mine.trained_from, mine.trained_until) == (day(9), day(11))


@pytest.mark.parametrize("name", [f"{EPISODE}.0", "churn.v1.20260108T0000.1", f"{EPISODE}.x"])
def test_the_monitor_proposes_nothing_that_the_ledger_does_not_wait_for(at: At, name: str) -> None:
    at("drifted")
    with pytest.raises(NotDue):
        propose(name)
    assert len(read().proposals) == 1


def test_the_only_approver_cannot_propose(at: At) -> None:
    at("drifted")
    alone = MODEL.model_copy(update={"owner": Owner(name="team", approvers=("ada",))})
    propose("by hand", proposer="ada", spec=alone)
    with pytest.raises(NotApproved, match="the only approver"):
        ready.count(alone, read().proposals[-1])


def test_an_approval_task_that_was_marked_as_done_is_nobodys_answer(at: At) -> None:
    at("drifted")
    propose()
    decision = decisions.decide(MODEL, FIRST, "retrain", None)
    assert (decision.answer, decision.by) == ("ended", "nobody")


def test_nothing_comes_of_an_approval_after_a_withdrawal(at: At) -> None:
    at("registered")
    proposals.withdraw(MODEL, FIRST, "otto", "not today")
    with pytest.raises(NotApproved, match="withdraw was withdrawn by otto"):
        promote(FIRST)


def test_a_proposal_is_bound_to_the_spec_it_was_made_with(at: At) -> None:
    at("drifted")
    propose()
    decisions.decide(MODEL, FIRST, "retrain", answer())
    other = MODEL.model_copy(update={"training": Training(window=timedelta(days=2), judge=0.5)})
    with pytest.raises(NotApproved, match="has changed since it was proposed"):
        retrain.train(other, FIRST)


def test_an_old_promotion_that_is_run_again_leaves_the_champion_of_today(at: At) -> None:
    at("promoted")
    rollback.by_hand(MODEL, "back", version=1, by="otto", reason="worse")
    rollback.promote_back(MODEL, "back")
    assert promotion.promote(MODEL, FIRST).version == 2
    assert alias() == 1


def test_failed_gates_are_recorded_and_nothing_is_registered(at: At) -> None:
    at("drifted")
    # Fitted mostly on the old rule, calibrated on the new one: the sigmoid turns round.
    propose("by hand", training_window=timedelta(days=5))
    run, result = gate("by hand")
    assert not result["passed"]
    assert retrain.gate(MODEL, "by hand", run) == result
    decision = read().decisions[-1]
    assert (decision.step, decision.answer) == ("gates", "failed")
    assert "calibration slope" in decision.comment
    with pytest.raises(NotApproved, match="gates"):
        retrain.register(MODEL, "by hand", run)
    assert len(tracking.connect().search_model_versions("name = 'churn'")) == 1


def test_no_step_acts_without_a_recorded_approval(at: At) -> None:
    at("drifted")
    propose()
    (run,) = [c.run_id for c in read().candidates]
    for step in (
        lambda: retrain.train(MODEL, FIRST),
        lambda: retrain.calibrate(MODEL, FIRST, run),
        lambda: retrain.gate(MODEL, FIRST, run),
        lambda: retrain.register(MODEL, FIRST, run),
    ):
        with pytest.raises(NotApproved, match="nobody has decided"):
            step()
    at("registered")
    with pytest.raises(NotApproved, match="nobody has decided"):
        promotion.promote(MODEL, FIRST)


def test_each_step_run_twice_doubles_nothing(at: At) -> None:
    at("drifted")
    for _ in range(2):
        propose()
        run = register(FIRST)
    promotions = [promote(FIRST) for _ in range(2)]
    assert promotions[0] == promotions[1]
    known = read()
    assert [p.version for p in known.promotions] == [1, 2]
    assert [c.run_id for c in known.candidates][1:] == [run]
    assert len(known.decisions) == 4
    experiment = tracking.connect().get_experiment_by_name("churn").experiment_id
    assert len(tracking.connect().search_runs([experiment])) == 2
    assert len(tracking.connect().search_model_versions("name = 'churn'")) == 2


def test_what_was_registered_stands_though_its_gates_are_cleared_and_take_another_time(
    at: At,
) -> None:
    at("drifted")
    timed = Gates(scoring_time=Gate(at_most=1000))
    spec = MODEL.model_copy(update={"gates": timed})
    propose("timed", spec=spec)
    decisions.decide(spec, "timed", "retrain", answer())
    run = retrain.train(spec, "timed")["candidate_run"]
    retrain.calibrate(spec, "timed", run)
    ends = []
    for _ in range(2):
        judged = retrain.gate(spec, "timed", run)
        ends.append((judged, retrain.register(spec, "timed", run)))
    assert ends[0] == ends[1]
    decisions.decide(spec, "timed", "promote", answer())
    assert promotion.promote(spec, "timed").version == 2
    retrain.gate(spec, "timed", run)
    retrain.register(spec, "timed", run)
    assert alias() == 2


def test_a_candidate_compared_with_an_earlier_champion_is_superseded(at: At) -> None:
    at("drifted")
    for name in (FIRST, "by hand"):
        propose(name)
    for name in (FIRST, "by hand"):
        register(name)
    promote("by hand")
    with pytest.raises(Conflict, match="the champion is version 3"):
        promote(FIRST)
    with pytest.raises(NotApproved, match="superseded"):
        promote(FIRST)
    known = read()
    superseded = [d.proposal for d in known.decisions if d.answer == "superseded"]
    assert (known.champion, alias(), superseded) == (3, 3, [FIRST])
    assert not known.live

"""Approvals over real stores: bound to their evidence, decided once, asked of the right people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.flows import asking, monitor, ready
from tasks.ledger import evidence
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Decision, Question
from tasks.promotion import decisions, promotion, proposals
from tasks.promotion.proposals import NotApproved
from tasks.registry.tracking import ModelRefused
from tasks.spec.approval_options import Approval, Owner
from tests.support import forging
from tests.support.flow import FIRST, MODEL, At, answer, beginning, propose, read, watch, window
from tests.support.rows import proposal

REASONED = {**answer(option="Reject"), "params_input": {"comment": "not yet"}}


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def forge(proposal: str, shown: str) -> None:
    """Record an approval of other evidence than what the proposal has."""
    since = window(12).start
    Ledger.open().decide(
        Decision(
            model="churn",
            proposal=proposal,
            step="promote",
            answer="approved",
            by="ada",
            comment="",
            evidence=shown,
            effective_from=since,
        )
    )


def test_the_first_decision_stands_and_a_rejection_never_becomes_a_promotion(at: At) -> None:
    at("registered")
    first = decisions.decide(MODEL, FIRST, "promote", REASONED)
    assert (first.answer, first.comment) == ("rejected", "not yet")
    for later in (answer(), answer("grace"), None, answer(by=None)):
        assert decisions.decide(MODEL, FIRST, "promote", later) == first
    with pytest.raises(NotApproved, match="promote was rejected by ada"):
        promotion.promote(MODEL, FIRST)


@pytest.mark.parametrize("given", [answer(), REASONED, None])
def test_what_is_decided_is_not_asked_again(at: At, given: dict[str, Any] | None) -> None:
    at("registered")
    assert decisions.question(MODEL, FIRST, "promote") == (
        None,
        [("ada", "ada"), ("grace", "grace")],
    )
    decision = decisions.decide(MODEL, FIRST, "promote", given)
    assert decisions.question(MODEL, FIRST, "promote") == (decision, [])


@pytest.mark.parametrize(
    ("name", "step", "missing"),
    [
        ("nobodys", "retrain", "proposal 'nobodys'"),
        ("p2", "promote", "candidate of a proposal 'p2'"),
    ],
)
def test_an_answer_to_what_the_ledger_does_not_have_is_refused_by_name(
    stores: Path, name: str, step: str, missing: str
) -> None:
    ledger = Ledger.open()
    forging.version(ledger, 1)
    ledger.propose(proposal("p2", champion=1))
    with pytest.raises(NotApproved, match=f"the ledger has no {missing}"):
        decisions.decide(MODEL, name, step, answer())


def test_the_brief_shows_what_the_answer_is_recorded_with(at: At) -> None:
    at("registered")
    brief = asking.to_promote(MODEL, FIRST, "/dags/here")
    decision = decisions.decide(MODEL, FIRST, "promote", answer())
    assert decision.evidence == brief["evidence"]
    assert brief["body"].startswith(f"Evidence `{decision.evidence[:12]}`")
    assert promotion.promote(MODEL, FIRST).version == 2


def test_an_approval_of_anything_else_promotes_nothing(at: At) -> None:
    at("registered")
    earlier = read().decisions[0].evidence  # of the first champion
    Ledger.open().ask(
        Question(
            model="churn", proposal=FIRST, step="promote", evidence=earlier, asked=[["ada", "ada"]]
        )
    )
    forge(FIRST, earlier)
    with pytest.raises(NotApproved, match=f"ada approved evidence {earlier[:12]}") as told:
        promotion.promote(MODEL, FIRST)
    assert decisions.evidence_of(read(), FIRST, "promote")[:12] in str(told.value)
    assert read().champion == 1


def test_an_artifact_that_was_changed_after_its_approval_is_not_promoted(at: At) -> None:
    at("registered")
    decisions.decide(MODEL, FIRST, "promote", answer())
    source = MlflowClient().get_model_version_download_uri("churn", "2").removeprefix("file://")
    file = Path(source) / "model.skops"
    kept = file.read_bytes()
    file.write_bytes(kept + b"0")
    try:
        with pytest.raises(ModelRefused, match=r"model\.skops"):
            promotion.promote(MODEL, FIRST)
    finally:
        file.write_bytes(kept)  # other tests share it
    assert read().champion == 1
    assert promotion.promote(MODEL, FIRST).version == 2


def test_the_evidence_changes_with_whatever_it_is_about(at: At) -> None:
    at("registered")
    known = read()
    asked = proposals.proposal_of(known, FIRST)
    candidate = proposals.candidate_of(known, FIRST)
    changed = {
        evidence.of_candidate(MODEL, asked, candidate),
        evidence.of_proposal(MODEL, asked),
        *(
            evidence.of_candidate(MODEL, asked, _with(candidate, **{name: other}))
            for name, other in (
                ("artifact_digest", "other"),
                ("data_digest", "other"),
                ("gates", []),
                ("metrics", {}),
                ("version", 9),
            )
        ),
        evidence.of_candidate(MODEL, _with(asked, champion=9), candidate),
        evidence.of_candidate(
            MODEL.model_copy(update={"approval": Approval(promote="automatic")}), asked, candidate
        ),
        evidence.of_candidate(
            MODEL.model_copy(update={"owner": Owner(name="team", approvers=("ada",))}),
            asked,
            candidate,
        ),
    }
    assert len(changed) == 10


def _with(record: Any, **changes: Any) -> Any:
    return type(record)(**{**vars(record), **changes})


def test_whom_the_spec_names_as_proposer_of_episodes_cannot_approve_them(at: At) -> None:
    at("drifted")
    named = MODEL.model_copy(update={"approval": Approval(proposer="ada")})
    propose(spec=named)
    assert read().proposals[-1].proposer == "ada"
    assert decisions.question(named, FIRST, "retrain") == (None, [("grace", "grace")])
    assert decisions.decide(named, FIRST, "retrain", answer("ada")).answer == "invalid"


def test_where_nobody_may_approve_nobody_is_asked(at: At) -> None:
    at("drifted")
    nobody = MODEL.model_copy(update={"owner": Owner(name="team")})
    propose(spec=nobody)
    with pytest.raises(NotApproved, match="nobody can approve"):
        ready.count(nobody, read().proposals[-1])
    with pytest.raises(NotApproved, match="nobody can approve"):
        decisions.question(nobody, FIRST, "retrain")
    assert decisions.decide(nobody, FIRST, "retrain", answer()).answer == "invalid"


def test_the_last_window_of_a_backfill_proposes_whichever_it_is(at: At) -> None:
    at("bootstrapped")
    span = f"{window(6).start:%Y-%m-%d}/{window(10).start:%Y-%m-%d}"
    for number in (9, 6, 10, 8):
        watch(number)
        assert monitor.due_after(read(), span) is None
    watch(7)
    assert monitor.due_after(read(), span) == FIRST
    body = propose(reason=f"drift, found by the backfill of {span}")["body"]
    assert f"The drift lies in the past: drift, found by the backfill of {span}." in body
    assert monitor.due_after(read(), span) is None  # it is proposed; run again, nothing more comes


@pytest.mark.parametrize("span", ["2026-01-06", "2026-01-06/soon", "a/b/c"])
def test_a_range_that_is_none_is_named(at: At, span: str) -> None:
    at("bootstrapped")
    with pytest.raises(ValueError, match=r"range|isoformat"):
        monitor.due_after(read(), span)

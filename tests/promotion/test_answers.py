"""Who may answer, and that only a plain yes of the right person is one, whatever else is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger.records import Proposal
from tasks.promotion import answers
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN

SPEC = ModelSpec.model_validate(
    {**CHURN, "owner": {"name": "team", "approvers": ["ada", "2:grace"]}}
)
UNTIL = datetime(2026, 1, 9, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def proposal(proposer: str = "otto", spec: ModelSpec = SPEC) -> Proposal:
    return Proposal(
        model="churn",
        proposal="p",
        kind="retrain",
        reason="drift",
        episode=None,
        champion=1,
        trained_from=UNTIL - timedelta(days=5),
        trained_until=UNTIL,
        proposer=proposer,
        spec_digest=spec.digest,
    )


def response(
    identity: str = "ada", name: str = "ada", option: Any = "Approve", form: Any = None
) -> dict[str, Any]:
    user = {"id": identity, "name": name}
    return {"chosen_options": [option], "params_input": form, "responded_by_user": user}


def read(given: Any, proposer: str = "otto", spec: ModelSpec = SPEC) -> tuple[str, str, str]:
    return answers.answer_of(spec, proposal(proposer), "promote", given)


def test_a_yes_of_an_approver_is_one_with_or_without_a_reason() -> None:
    assert read(response()) == ("approved", "ada", "")
    assert read(response("2", "grace", form={"comment": "go"})) == ("approved", "grace", "go")


def test_who_answers_is_recorded_under_the_name_by_which_they_were_asked() -> None:
    assert read(response("2", "Grace Hopper")) == ("approved", "grace", "")
    assert read(response("9", "grace"))[:2] == ("invalid", "grace")


def test_a_rejection_without_a_reason_is_a_rejection_and_says_so() -> None:
    for form in (None, {}, {"comment": None}, {"comment": "  "}, {"other": 1}, ["x"]):
        assert read(response(option="Reject", form=form)) == ("rejected", "ada", "no reason given")


@pytest.mark.parametrize(
    ("identity", "name", "proposer", "why"),
    [
        ("otto", "otto", "otto", "not in owner.approvers"),
        ("ada", "ada", "ada", "proposed this"),
        ("2", "grace", "grace", "proposed this"),  # proposed by name, answered by number
        ("9", "2", "otto", "not in owner.approvers"),  # named like another's number
        ("grace", "grace", "otto", "not in owner.approvers"),
    ],
)
def test_neither_a_stranger_nor_the_proposer_can_answer(
    identity: str, name: str, proposer: str, why: str
) -> None:
    for option in ("Approve", "Reject"):
        answer, by, comment = read(response(identity, name, option), proposer)
        assert (answer, by) == ("invalid", name)
        assert why in comment


def test_the_proposer_is_not_even_asked() -> None:
    assert answers.may_answer(SPEC, "grace") == [("ada", "ada")]
    assert answers.may_answer(SPEC, "otto") == [("ada", "ada"), ("2", "grace")]


def test_a_yes_after_the_spec_has_changed_does_not_count_and_a_no_does(
    spec: Callable[..., ModelSpec],
) -> None:
    other = spec(owner={"approvers": ["ada", "2:grace"]}, training={"seed": 8})
    assert read(response(), spec=other)[0] == "invalid"
    assert read(response(option="Reject"), spec=other)[0] == "rejected"


def test_silence_is_no_answer() -> None:
    assert read(None)[0] == "ended"  # the task that asked is over; nobody's time was
    for silence in ({}, {"chosen_options": ["Reject"], "responded_by_user": None}):
        assert read(silence)[0] == "no_answer"


@given(chosen=JSON, form=JSON)
def test_only_the_word_approve_alone_approves_whatever_the_form_holds(
    chosen: Any, form: Any
) -> None:
    given = {**response(), "chosen_options": chosen, "params_input": form}
    answer, _, comment = read(given)
    assert (answer == "approved") == (chosen == ["Approve"])
    assert len(comment) <= 2002
    assert "\0" not in comment


def test_a_comment_is_kept_as_it_was_written_up_to_its_longest() -> None:
    assert answers.comment_of({"comment": "<b>no</b>", "more": 1}) == "<b>no</b>"
    assert answers.comment_of({"comment": "\ud800\0"}) == "?"
    assert answers.comment_of({"comment": {"a": [1]}}) == '{"a": [1]}'
    assert answers.comment_of({"comment": "x" * 10_000}) == "x" * 2000 + " …"


@given(
    st.text(alphabet=" \t\n\u200b\u200d\ufeff\u2060\u00ad\u3164\uffa0\u115f\u2800\u202e\U000e0020")
)
def test_a_comment_that_shows_nothing_is_none(blank: str) -> None:
    assert answers.comment_of({"comment": blank}) == ""
    assert answers.comment_of({"comment": f"{blank}no"}) == f"{blank}no".strip()


def test_a_comment_of_combining_marks_is_looked_at_as_quickly_as_any_other() -> None:
    """The API server looks at it before it knows who sends it: these marks took ten seconds."""
    began = process_time()
    assert answers.comment_of({"comment": "\u0301\u0316" * 50_000}) == ""
    assert process_time() - began < 2


def test_a_name_that_no_column_holds_is_a_strangers_and_is_recorded_as_far_as_it_can_be() -> None:
    for odd, kept in (("ada\0", "ada?"), ("\ud800", "?"), ("x" * 900, "x" * 250)):
        user = {"id": odd, "name": odd}
        response = {"chosen_options": ["Approve"], "responded_by_user": user}
        answer, by, comment = answers.answer_of(SPEC, proposal(), "retrain", response)
        assert (answer, by, comment) == ("invalid", kept, f"{kept} is not in owner.approvers")


def test_a_comment_that_nests_too_deeply_to_be_written_is_none() -> None:
    deep: list[Any] = []
    for _ in range(100_000):  # deeper than any Python writes
        deep = [deep]
    assert answers.comment_of({"comment": deep}) == ""


def test_an_approver_who_is_no_user_of_airflow_is_named_with_the_way_out() -> None:
    assert answers.strangers(SPEC, {"ada": "ada", "2": "grace"}) == []
    assert answers.strangers(SPEC, {"1": "ada", "2": "joan"}) == [
        'ada: known by another id; write "1:ada"',
        "2:grace: user 2 is joan",
    ]
    assert answers.strangers(SPEC, {"7": "joan"})[0] == "ada: no such user; there are: joan"


@given(st.binary(max_size=80) | JSON.map(lambda told: json.dumps(told).encode()))
def test_a_reply_that_says_nobody_who_answered_is_no_answer(reply: bytes) -> None:
    with pytest.raises(answers.NotAnAnswer, match="Airflow's reply to an answer"):
        answers.response_of(reply)


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.sampled_from(["id", "name"]), JSON))
def test_whatever_airflow_replies_beside_who_answered_is_read_as_an_answer(
    told: dict[str, Any], by: dict[str, Any]
) -> None:
    reply = json.dumps({**told, "responded_by": by}).encode()
    answer, *_ = answers.answer_of(SPEC, proposal(), "retrain", answers.response_of(reply))
    assert answer in ("no_answer", "invalid", "rejected")

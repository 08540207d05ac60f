"""A version that does worse than the one still serving beside it: the monitor goes back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from .browser import Question
from .conftest import Running
from .landed import ACCEPTED, BACK, CANARIES, DAY, SHIFT

PROPOSAL = f"{{}}.v2.{BACK:%Y%m%dT%H%M}.rollback.1"
SERVED = (BACK, BACK + DAY)  # windows of which versions 1 and 2 scored half of the rows each


@pytest.fixture(scope="module")
def breached(running: Running) -> None:
    """A second champion, of two days of another rule, and two windows in which both serve."""
    for model in CANARIES:
        running.accept(model, "first", ACCEPTED, 8 * DAY)
        running.accept(model, "second", BACK, BACK - SHIFT)
    for model in CANARIES:
        running.windows(model, *SERVED)


def _ended(running: Running, model: str, by: str) -> None:
    """Assert that the model is back at version 1, for good, and that `by` decided so."""
    dag, proposal = f"rollback.{model}", PROPOSAL.format(model)
    assert running.operator.finished(dag, proposal) == "success"
    head = running.ledger.trail(model).head
    running.windows(model, *SERVED)  # once more
    assert running.ledger.trail(model).head == head
    known = running.status(model)
    assert (known.champion, running.alias(model)) == (1, 1)
    moves = [(p.version, p.expected, p.by) for p in known.promotions]
    assert moves == [(1, None, "ada"), (2, 1, "ada"), (1, 2, by)]
    (asked,) = (p for p in known.proposals if p.kind == "rollback")
    assert (asked.proposal, asked.proposer) == (proposal, "gatelatch")
    decided = [(d.step, d.answer, d.by) for d in known.decisions if d.proposal == proposal]
    assert decided == [("rollback", "approved", by)]
    assert known.history.now.state == "resting"
    assert [run["dag_run_id"] for run in running.operator.runs(dag)] == [proposal]
    assert running.operator.runs(f"retrain.{model}") == []
    running.verify(model)


def test_each_version_is_measured_on_the_rows_that_it_scored(
    running: Running, breached: None
) -> None:
    for model in CANARIES:
        old, new = (running.ledger.observations_of(model, version) for version in (1, 2))
        assert [o.verdict for o in (*old, *new)] == ["steady"] * 2 + ["drifting"] * 2
        assert {o.figures["accepted"] for o in (*old, *new)} == {200}


def test_in_a_browser_a_person_approves_that_the_worse_version_goes(
    running: Running, breached: None, page: Page
) -> None:
    question = Question(running, page, "canary", PROPOSAL.format("canary"), "rollback")
    question.open("which still serves some rows")
    assert running.alias("canary") == 2
    question.approve()
    _ended(running, "canary", "ada")


def test_where_the_spec_says_so_the_worse_version_goes_by_itself(
    running: Running, breached: None
) -> None:
    _ended(running, "canary_alone", "policy")

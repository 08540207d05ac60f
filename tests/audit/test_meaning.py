"""What the rows mean: even whoever may sign makes no champion without question, answer and gates.

Each forged row here is signed by a trusted key and rightly linked; only what it says is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tasks.audit import meaning
from tasks.ledger.chain import Trail
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Question
from tests.support import forging
from tests.support.again import write_again
from tests.support.forging import approve, ask, fault, honest, move, rollback, version
from tests.support.rows import decision, observation, proposal, registered

Story = Callable[[Ledger], object]


def trained(ledger: Ledger) -> None:
    ledger.propose(proposal(champion=None))
    approve(ledger, "p1", "retrain")
    ledger.add_candidate(registered())


def judged(ledger: Ledger) -> None:
    trained(ledger)
    ask(ledger, "p1", "promote")


def told(*steps: Story) -> Story:
    def tell(ledger: Ledger) -> None:
        for step in steps:
            step(ledger)

    return tell


def candidate(**parts: object) -> Story:
    def tell(ledger: Ledger) -> None:
        ledger.propose(proposal(champion=None))
        approve(ledger, "p1", "retrain")
        ledger.add_candidate(registered(**parts))

    return tell


def proposed(ledger: Ledger) -> None:
    ledger.propose(proposal(champion=None))


FAILED = {"name": "hinge_loss", "verdict": "failed", "passed": False}
CANNOT: dict[str, Story] = {
    "nobody proposed p1 before it": lambda ledger: ledger.decide(decision("rejected")),
    "nobody was asked about retrain of p1": told(
        proposed, lambda ledger: ledger.decide(decision())
    ),
    "it approves promote of p1 on other evidence than was asked about": told(
        judged, lambda ledger: ledger.decide(decision(step="promote", evidence="other"))
    ),
    "mallory was not asked about promote of p1": told(
        judged, lambda ledger: ledger.decide(decision(step="promote", by="mallory"))
    ),
    "policy was not asked about promote of p1": told(
        judged, lambda ledger: ledger.decide(decision(step="promote", by="policy"))
    ),
    "ada proposed p1 and cannot approve it": told(
        lambda ledger: ledger.propose(proposal(champion=None, proposer="ada")),
        lambda ledger: approve(ledger, "p1", "retrain"),
    ),
    "a retrain has no step rollback to approve": told(
        proposed, lambda ledger: ledger.decide(decision(step="rollback", by="otto"))
    ),
    "gates is no step that passes by itself": told(
        proposed, lambda ledger: ledger.decide(decision("passed", step="gates", by="gates"))
    ),
    "canary of p1 is nothing to skip": told(
        judged, lambda ledger: ledger.decide(decision("skipped", step="canary"))
    ),
    "gates of p1 is nothing to skip": told(
        lambda ledger: version(ledger, 1),
        lambda ledger: ledger.decide(decision("skipped", step="gates")),
    ),
    "mallory was not asked to promote p1 and cannot skip its canary": told(
        lambda ledger: version(ledger, 1),
        lambda ledger: ledger.decide(decision("skipped", step="canary", by="mallory")),
    ),
    "p1 has no candidate to ask about": told(proposed, lambda ledger: ask(ledger, "p1", "promote")),
    "nobody proposed p9 before it": lambda ledger: ask(ledger, "p9", "retrain"),
    "nobody proposed to train p1 before it": lambda ledger: ledger.add_candidate(registered()),
    "nobody approved to train p1": told(
        proposed, lambda ledger: ledger.add_candidate(registered())
    ),
    "it did not pass its gates: hinge_loss": candidate(gates=[FAILED]),
    "it did not pass its gates: there is none": candidate(gates=[]),
    "its spec_digest is not the one of its proposal": candidate(spec_digest="other"),
    "nobody approved promote of p1": told(
        judged, lambda ledger: move(ledger, "p1", 1, None, "ada")
    ),
    "nobody proposed nobody before it": lambda ledger: move(ledger, "nobody", 1, None, "ada"),
    "ada approved it, not mallory": told(
        trained,
        lambda ledger: approve(ledger, "p1", "promote"),
        lambda ledger: move(ledger, "p1", 1, None, "mallory"),
    ),
    "version 7 is not the candidate of p1": told(
        trained,
        lambda ledger: approve(ledger, "p1", "promote"),
        lambda ledger: move(ledger, "p1", 7, None, "ada"),
    ),
    "the champion before it was version 1, not 1": told(  # it was compared with none
        lambda ledger: version(ledger, 1),
        lambda ledger: ledger.propose(proposal("p2", champion=None)),
        lambda ledger: approve(ledger, "p2", "retrain"),
        lambda ledger: ledger.add_candidate(registered(proposal="p2", version=2)),
        lambda ledger: approve(ledger, "p2", "promote"),
        lambda ledger: move(ledger, "p2", 2, 1, "ada"),
    ),
    "back goes back to version 1": told(
        lambda ledger: version(ledger, 1),
        lambda ledger: version(ledger, 2),
        lambda ledger: ledger.propose(rollback()),
        lambda ledger: ledger.decide(decision(proposal="back", step="rollback", by="otto")),
        lambda ledger: move(ledger, "back", 2, 2, "otto"),
    ),
    "version 9 was never champion": told(
        lambda ledger: version(ledger, 1),
        lambda ledger: ledger.propose(replace(rollback(), champion=1, target=9)),
        lambda ledger: ledger.decide(decision(proposal="back", step="rollback", by="otto")),
        lambda ledger: move(ledger, "back", 9, 1, "otto"),
    ),
    "nobody was asked about rollback of back": told(  # the monitor's own is not by hand
        lambda ledger: version(ledger, 1),
        lambda ledger: version(ledger, 2),
        lambda ledger: ledger.propose(replace(rollback(), proposer="gatelatch")),
        lambda ledger: ledger.decide(decision(proposal="back", step="rollback", by="gatelatch")),
    ),
    "no version 1 was registered before it": lambda ledger: ledger.observe(observation()),
}


@pytest.mark.parametrize("why", CANNOT)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_row_that_nothing_before_it_allows_is_found_though_it_is_signed(
    why: str, ledger: Ledger
) -> None:
    CANNOT[why](ledger)
    found = str(fault(ledger))
    assert f"cannot be: {why}" in found
    assert f"(link {len(ledger.trail('churn').links)})" in found


def test_a_version_that_is_the_candidate_of_two_proposals_is_found(ledger: Ledger) -> None:
    trained(ledger)
    ledger.propose(proposal("p2", champion=None))
    approve(ledger, "p2", "retrain")
    rows = forging.written(ledger.trail("churn"))
    twice = {**ledger.trail("churn").rows["candidates", 1], "id": 2, "proposal": "p2"}
    found = str(meaning.meaning_fault(forging.relinked([*rows, ("candidates", twice)], {})))
    assert "version 1 is the candidate of p1" in found


def test_a_promotion_after_its_proposal_was_ended_is_found(ledger: Ledger) -> None:
    trained(ledger)
    approve(ledger, "p1", "promote")
    rows = forging.written(ledger.trail("churn"))
    end = {**rows[2][1], "id": 99, "step": "withdraw", "answer": "withdrawn", "by": "otto"}
    move(ledger, "p1", 1, None, "ada")
    promoted = forging.written(ledger.trail("churn"))[-1]
    trail = forging.relinked([*rows, ("decisions", end), promoted], {})
    assert "withdraw of p1 ended it" in str(meaning.meaning_fault(trail))


@pytest.mark.parametrize("answer", ["rejected", "no_answer", "invalid", "failed", "ended"])
def test_an_ending_needs_no_question_whoever_and_whatever_step_made_it(
    answer: str, ledger: Ledger
) -> None:
    write_again(ledger, honest)
    ledger.decide(decision(answer, proposal="p3", step="train", by="gatelatch"))
    assert fault(ledger) is None


def test_policy_approves_where_the_question_says_that_it_may(ledger: Ledger) -> None:
    ledger.propose(proposal(champion=None))
    ledger.ask(
        Question(
            model="churn",
            proposal="p1",
            step="retrain",
            evidence="shown",
            asked=[["policy", "policy"]],
        )
    )
    ledger.decide(decision(by="policy"))
    assert fault(ledger) is None


# --- what was written while a model was frozen: the ledger refuses it, its owner does not


def behind_a_freeze(ledger: Ledger, *moved: int) -> Trail:
    """Return the trail as if a freeze had been written before those of its rows."""
    rows = forging.written(ledger.trail("churn"))
    ledger.freeze("churn", "frozen", by="ada", reason="holidays")
    freeze = forging.written(ledger.trail("churn"))[-1]
    kept = [row for n, row in enumerate(rows) if n not in moved]
    return forging.relinked([*kept, freeze, *(rows[n] for n in moved)], {})


def test_a_proposal_while_the_model_was_frozen_is_found(ledger: Ledger) -> None:
    proposed(ledger)
    found = str(meaning.meaning_fault(behind_a_freeze(ledger, 0)))
    assert "proposals (link 2) cannot be: ada had frozen the model, and nobody had thawed" in found


def test_a_promotion_while_the_model_was_frozen_is_found_whenever_it_was_approved(
    ledger: Ledger,
) -> None:
    version(ledger, 1)
    last = len(ledger.trail("churn").links) - 1
    found = str(meaning.meaning_fault(behind_a_freeze(ledger, last)))
    assert "promotions" in found
    assert "ada had frozen the model" in found


def test_a_rollback_by_hand_while_the_model_was_frozen_is_none(ledger: Ledger) -> None:
    version(ledger, 1)
    version(ledger, 2)
    before = len(ledger.trail("churn").links)
    ledger.propose(rollback())
    ledger.decide(decision(proposal="back", step="rollback", by="otto"))
    move(ledger, "back", 1, 2, "otto")
    assert meaning.meaning_fault(behind_a_freeze(ledger, before, before + 1, before + 2)) is None


def test_two_freezes_without_a_thaw_between_or_a_number_left_out_are_found(ledger: Ledger) -> None:
    ledger.freeze("churn", "frozen", by="ada", reason="holidays")
    ledger.freeze("churn", "thawed", by="ada", reason="back")
    (kind, first), (_, second) = forging.written(ledger.trail("churn"))
    twice = forging.relinked([(kind, first), (kind, {**second, "state": "frozen"})], {})
    assert "the model was frozen before" in str(meaning.meaning_fault(twice))
    gap = forging.relinked([(kind, first), (kind, {**second, "number": 3})], {})
    assert "it is number 3, and 2 is next" in str(meaning.meaning_fault(gap))

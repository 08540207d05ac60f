"""A champion that serves a share: when going back to the version before it is due."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drift.latch import fold
from tasks.ledger import status
from tasks.ledger.records import Decision, Observation, Proposal
from tasks.promotion import canary
from tasks.promotion.canary import said_by_pair
from tasks.promotion.paired import Pair
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.versions import MOVES, Move, candidate, day, promotions_of, seen

SPEC = ModelSpec.model_validate({**CHURN, "source": {**CHURN["source"], "version_column": "by"}})
EPISODE = "churn.v2.20260105T0000"


def known(
    moves: Sequence[Move] = MOVES,
    proposals: Iterable[Proposal] = (),
    decisions: Iterable[Decision] = (),
) -> status.Status:
    promotions = promotions_of(moves)
    candidates = [candidate(v, proposal=f"p{v}") for v in sorted({m.to for m in moves})]
    nothing = fold("churn", [], [], SPEC.latch)
    return status.Status(
        SPEC, [], list(proposals), list(decisions), candidates, promotions, nothing, nothing
    )


def days(version: int, *losses: float | None, start: int = 5, **parts: Any) -> list[Observation]:
    return [seen(version, number, loss, **parts) for number, loss in enumerate(losses, start)]


def due(observations: Iterable[Observation], state: status.Status | None = None) -> Any:
    by_version = defaultdict(list)
    for observation in observations:
        by_version[observation.version].append(observation)
    return canary.canary_due(state or known(), lambda version: by_version[version])


WORSE = days(1, 0.5, 0.5) + days(2, 0.9, 0.9)


def test_a_champion_worse_than_the_version_that_still_serves_is_to_be_rolled_back() -> None:
    found = due(WORSE)
    assert (found.proposal, found.champion, found.target) == (f"{EPISODE}.rollback.1", 2, 1)
    assert found.reason == (
        "the hinge loss of version 2 breached beside version 1 in 2 of 2 windows that both served"
    )
    assert len(found.compared) == 2


def test_one_breach_is_not_enough_where_the_latch_wants_two() -> None:
    assert due(days(1, 0.5, 0.5, 0.5) + days(2, 0.9, 0.5, 0.5)) is None


def test_windows_that_wait_for_labels_do_not_speak_for_a_version_that_labels_speak_against() -> (
    None
):
    bare: tuple[None, ...] = (None, None, None)
    both = WORSE + days(1, *bare, start=7) + days(2, *bare, start=7)
    assert due(both) is None  # where labels come with the rows, these have none
    state = known()
    late = SPEC.model_copy(
        update={"label": SPEC.label.model_copy(update={"delay": day(3) - day(1)})}
    )
    found = due(both, replace(state, spec=late, observations=days(2, *bare, start=7)))
    assert found.proposal == f"{EPISODE}.rollback.1"


def test_a_difference_that_does_not_matter_to_the_owner_is_no_breach() -> None:
    assert due(days(1, 0.5, 0.5) + days(2, 0.58, 0.58)) is None


def test_a_difference_within_chance_is_no_breach() -> None:
    pair = Pair(seen(2, 5, 0.75), seen(1, 5, 0.5))
    assert said_by_pair(SPEC, pair, candidate(2), candidate(1)).verdict == "drifting"
    few = [seen(v, 5, loss) for v, loss in ((2, 0.75), (1, 0.5))]
    for observation in few:
        observation.figures["losses"]["effective_rows"] = 12.0
    assert said_by_pair(SPEC, Pair(*few), candidate(2), candidate(1)).verdict == "steady"


def test_windows_before_the_promotion_do_not_count() -> None:
    assert due(days(1, 0.5, 0.5, start=3) + days(2, 0.9, 0.9, start=3)) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ("drifting", "steady", "drifting"),
        ("drifting", "drifting", "steady"),
        ("steady", "steady", "steady"),
        ("insufficient", "steady", "insufficient"),
    ],
)
def test_without_labels_only_margins_that_breach_alone_speak_against_a_version(
    ours: str, theirs: str, verdict: str
) -> None:
    pair = Pair(seen(2, 5, verdict=ours), seen(1, 5, verdict=theirs))
    assert said_by_pair(SPEC, pair, candidate(2), candidate(1)).verdict == verdict


def test_after_the_rollback_the_old_champion_is_never_rolled_forward_again() -> None:
    back = known([*MOVES, Move(to=1, since=7, before=2)])
    worse = days(1, 0.9, 0.9, 0.9, start=7) + days(2, 0.1, 0.1, 0.1, start=7)
    assert due(WORSE + worse, back) is None


def test_a_third_version_goes_back_to_the_one_that_serves_beside_it() -> None:
    moves = [*MOVES, Move(to=1, since=7, before=2), Move(to=3, since=9, before=1)]
    found = due(days(1, 0.5, 0.5, start=9) + days(3, 0.9, 0.9, start=9), known(moves))
    assert (found.champion, found.target) == (3, 1)


def proposal(number: int) -> Proposal:
    episode = f"{EPISODE}.rollback"
    return Proposal(
        model="churn",
        proposal=f"{episode}.{number}",
        kind=canary.KIND,
        reason="why",
        episode=episode,
        champion=2,
        trained_from=day(5),
        trained_until=day(7),
        proposer="gatelatch",
        spec_digest=SPEC.digest,
        target=1,
    )


def refusal(number: int, until: int) -> Decision:
    name = f"{EPISODE}.rollback.{number}"
    return Decision(
        model="churn",
        proposal=name,
        step="rollback",
        answer="rejected",
        by="ada",
        comment="no",
        evidence="evidence",
        effective_from=day(until),
    )


def test_a_live_rollback_is_not_proposed_twice() -> None:
    assert due(WORSE, known(proposals=[proposal(1)])) is None


def test_a_refused_rollback_asks_again_with_the_next_number_after_the_rest() -> None:
    refused = known(proposals=[proposal(1)], decisions=[refusal(1, until=7)])
    assert due(WORSE, refused) is None
    long = [0.9] * 17
    found = due(days(1, *[0.5] * 17) + days(2, *long), refused)
    assert found.proposal == f"{EPISODE}.rollback.2"


losses = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), max_size=8)


@given(losses, st.randoms(use_true_random=False))
def test_the_order_of_observations_makes_no_difference(
    drawn: list[tuple[float, float]], rng: random.Random
) -> None:
    observations = days(1, *(a for a, _ in drawn)) + days(2, *(b for _, b in drawn))
    before = due(observations)
    rng.shuffle(observations)
    assert due(observations) == before


@given(losses)
def test_a_version_that_is_nowhere_worse_is_never_rolled_back(
    drawn: list[tuple[float, float]],
) -> None:
    pairs = [(max(pair), min(pair)) for pair in drawn]
    assert due(days(1, *(a for a, _ in pairs)) + days(2, *(b for _, b in pairs))) is None

"""The share of the keys that a new champion scores, folded from what was judged."""

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
from tasks.promotion.ramp import CANARY_STEP, Ramp, ramp_at
from tasks.spec.model import ModelSpec
from tests.conftest import CHURN
from tests.support.versions import MOVES, Move, candidate, day, promotions_of, seen


def spec(**canary: Any) -> ModelSpec:
    source = {**CHURN["source"], "version_column": "by"}
    scoring = {"path": "scores", "canary": canary} if canary else {"path": "scores"}
    return ModelSpec.model_validate({**CHURN, "source": source, "scoring": scoring})


ONE = spec(share=0.1, windows=2)
TWO = spec(ramp=[0.1, 0.5], windows=2)


def known(
    model: ModelSpec = ONE,
    moves: Sequence[Move] = MOVES,
    decisions: Iterable[Decision] = (),
    backwards: Iterable[int] = (),
) -> status.Status:
    promotions = promotions_of(moves)
    proposals = [
        Proposal(
            model="churn",
            proposal=p.proposal,
            kind="rollback" if p.number in set(backwards) else "retrain",
            reason="why",
            episode=None,
            champion=p.expected,
            trained_from=day(1),
            trained_until=p.effective_from,
            proposer="otto",
            spec_digest="spec",
        )
        for p in promotions
    ]
    versions = sorted({m.to for m in moves})
    candidates = [candidate(v, proposal=f"p{v}") for v in versions]
    nothing = fold("churn", [], [], model.latch)
    return status.Status(
        model, [], proposals, list(decisions), candidates, promotions, nothing, nothing
    )


def both(
    number: int, new: float | None = 0.5, share: float = 0.1, old: int = 1, champion: int = 2
) -> list[Observation]:
    """Return a day that two versions served, the old one with a hinge loss of 0.5."""
    count = round(4_000 * share)
    by = {"versions": {str(old): 4_000 - count, str(champion): count}, "others": 0, "none": 0}
    loss = None if new is None else 0.5
    pair = seen(old, number, loss), seen(champion, number, new)
    return [replace(o, figures={**o.figures, "scored_by": by}) for o in pair]


def ramp(
    observations: Iterable[Observation],
    state: status.Status | None = None,
    until: int | None = None,
) -> Ramp | None:
    by_version = defaultdict(list)
    for observation in observations:
        by_version[observation.version].append(observation)

    def observed(version: int, since: Any) -> list[Observation]:
        return [o for o in by_version[version] if o.window_start >= since]

    return ramp_at(state or known(), observed, None if until is None else day(until))


def stands(observations: Iterable[Observation], **parts: Any) -> tuple[float, int]:
    found = ramp(observations, **parts)
    assert found is not None
    return found.share, found.judged


def days(*numbers: int, **parts: Any) -> list[Observation]:
    return [o for number in numbers for o in both(number, **parts)]


def test_a_new_champion_begins_with_its_share() -> None:
    found = ramp([])
    assert found is not None
    assert (found.share, found.champion, found.earlier) == (0.1, 2, 1)
    assert found.told == "canary of version 2: 10 % of the keys, 0 of 2 windows; then 100 %"


def test_it_has_all_keys_once_it_held_in_so_many_windows() -> None:
    assert stands(days(5)) == (0.1, 1)
    found = ramp(days(5, 6))
    assert found is not None
    assert (found.share, found.over) == (1.0, "it held in 2 of 2 windows")


def test_a_ramp_goes_from_share_to_share() -> None:
    state = known(TWO)
    assert stands(days(5, 6), state=state) == (0.5, 0)
    late = days(7, 8, share=0.5)
    assert stands([*days(5, 6), *late[:2]], state=state) == (0.5, 1)
    assert stands([*days(5, 6), *late], state=state)[0] == 1.0


def test_windows_that_were_served_with_the_share_before_do_not_count_for_the_next_one() -> None:
    assert stands(days(5, 6, 7, 8), state=known(TWO)) == (0.5, 0)


def test_for_a_window_only_those_count_that_ended_before_it() -> None:
    assert stands(days(5, 6), until=7)[0] == 1.0
    assert stands(days(5, 6), until=6) == (0.1, 1)


def test_once_it_is_found_worse_the_share_stays() -> None:
    found = ramp(days(5, 6, new=0.9), state=known(spec(share=0.1, windows=3)))
    assert found is not None
    assert (found.worse, found.share) == (True, 0.1)
    assert "it is worse than version 1" in found.told
    more = [*days(5, 6, new=0.9), *days(7, 8, 9)]
    assert stands(more, state=known(spec(share=0.1, windows=3)))[0] == 0.1


@pytest.mark.parametrize("side", [0, 1], ids=["earlier", "champion"])
def test_a_window_that_says_nothing_of_either_version_does_not_count(side: int) -> None:
    pair = both(6)
    pair[side] = replace(pair[side], verdict="insufficient", pressure=None)
    found = ramp([*days(5), *pair])
    assert found is not None
    assert (found.judged, found.idle) == (1, 1)
    assert f"version {side + 1}: why" in found.why


def test_a_canary_that_no_window_counts_for_says_so_and_the_way_out() -> None:
    silent = [replace(o, verdict="insufficient", pressure=None) for o in days(*range(5, 11))]
    found = ramp(silent)
    assert found is not None
    assert "stays at 10 % of the keys: the newest 6 windows did not count" in (found.stuck or "")
    assert "--skip" in (found.stuck or "")
    few = ramp(silent[:-2])
    assert few is not None
    assert few.stuck is None


def test_a_worse_canary_from_which_nobody_goes_back_says_so_in_the_end() -> None:
    found = ramp(days(5, 6, new=0.9) + days(*range(7, 13)))
    assert found is not None
    assert "It was found worse in" in (found.stuck or "")
    early = ramp(days(5, 6, new=0.9) + days(7))
    assert early is not None
    assert early.stuck is None


def test_where_labels_come_late_a_window_counts_with_them() -> None:
    late = ModelSpec.model_validate(
        {**ONE.model_dump(mode="json"), "label": {"column": "y", "classes": [0, 1], "delay": "3d"}}
    )
    assert stands(days(5, 6, new=None), state=known(late)) == (0.1, 0)
    assert stands([*days(5), *days(6, new=None)], state=known(late)) == (0.1, 1)
    given_up = days(*range(5, 26), new=None)
    assert stands(given_up, state=known(late))[0] == 1.0


def test_a_first_champion_and_a_rollback_have_no_canary() -> None:
    assert ramp([], known(moves=MOVES[:1])) is None
    assert ramp([], known(moves=[*MOVES, Move(to=1, since=7, before=2)], backwards=[3])) is None
    assert ramp([], known(spec())) is None


def test_a_champion_that_served_alone_before_the_spec_had_a_canary_keeps_all_keys() -> None:
    assert stands([seen(2, 5, 0.5)])[0] == 1.0


def test_the_other_keys_stay_with_the_last_version_that_had_all() -> None:
    moves = [*MOVES, Move(to=3, since=7, before=2)]
    found = ramp(days(5), known(moves=moves))
    assert found is not None
    assert (found.champion, found.earlier) == (3, 1)
    held = ramp(days(5, 6), known(moves=moves))
    assert held is not None
    assert held.earlier == 2


@pytest.mark.parametrize(("answer", "by"), [("skipped", "ada"), ("passed", "canary")])
def test_what_ended_it_holds_from_its_event_time_on(answer: str, by: str) -> None:
    said = Decision(
        model="churn",
        proposal="p2",
        step=CANARY_STEP,
        answer=answer,
        by=by,
        comment="enough seen",
        evidence="evidence",
        effective_from=day(6),
    )
    state = known(decisions=[said])
    assert stands(days(5), state=state)[0] == 1.0
    assert stands(days(5), state=state, until=6)[0] == 1.0
    assert stands([], state=state, until=5)[0] == 0.1


drawn = st.lists(st.tuples(st.integers(5, 14), st.sampled_from([0.4, 0.5, 0.9])), max_size=8)


@given(drawn, st.randoms(use_true_random=False))
def test_the_order_of_judging_makes_no_difference(
    windows: list[tuple[int, float]], rng: random.Random
) -> None:
    observations = [o for number, loss in dict(windows).items() for o in both(number, new=loss)]
    before = ramp(observations)
    rng.shuffle(observations)
    assert ramp(observations) == before


@given(drawn, st.integers(5, 15))
def test_what_is_judged_later_changes_no_share_of_a_window_before(
    windows: list[tuple[int, float]], moment: int
) -> None:
    observations = [o for number, loss in dict(windows).items() for o in both(number, new=loss)]
    early = [o for o in observations if o.window_end <= day(moment)]
    assert ramp(observations, until=moment) == ramp(early, until=moment)

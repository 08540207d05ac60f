"""What a channel still has to be told: who hears of what, since when, and what is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger.when_recorded import Attempt
from tasks.notices.event_kinds import events_of
from tasks.notices.events import QUIET, ModelFacts
from tasks.notices.owed import MOST_ATTEMPTS, UNSURE, WAITS, Owed, owed, subscription
from tests.support.facts import NOTIFY, facts, spec_told
from tests.support.rows import decision, proposal
from tests.support.stood import FIRST, at

NOW = at(40)
EARLY = at(-9)
PRESSURES = st.lists(st.sampled_from([None, 0.3, 1.5]), max_size=12)


def subscribed(since: datetime = EARLY, notify: dict[str, str] = NOTIFY) -> list[Attempt]:
    """Return what the ledger has of channels that hear of the model since then."""
    return [
        Attempt(event=subscription(least), channel=name, attempt=0, claimed_at=since)  # type: ignore[arg-type]
        for name, least in notify.items()
    ]


def attempt(one: Owed, outcome: str | None = "told", when: datetime = NOW) -> Attempt:
    return Attempt(
        event=one.event.key,
        channel=one.channel,
        attempt=one.attempt,
        claimed_at=when,
        outcome=outcome,
        detail="it answered 500" if outcome == "failed" else "",
        ended_at=when if outcome else None,
    )


def with_attempts(known: ModelFacts, more: list[Attempt]) -> ModelFacts:
    attempts = (*known.recorded.attempts, *more)
    return replace(known, recorded=replace(known.recorded, attempts=attempts))


def due(known: ModelFacts, now: datetime = NOW) -> set[tuple[str, str]]:
    return {(o.channel, o.event.key) for o in owed(known, now) if o.state == "due"}


def story(pressures: list[float | None], **parts: Any) -> ModelFacts:
    """Return a model with windows, a question, and one whose time ran out."""
    return facts(
        pressures,
        proposals=[proposal("next"), proposal("before")],
        asked={"next": NOW - timedelta(hours=1)},
        decisions=[decision("no_answer", proposal="before")],
        **parts,
    )


def test_a_channel_hears_of_what_is_as_severe_as_it_wants_to_hear() -> None:
    spec = spec_told(notify={"owners": "info", "team": "ticket", "on_call": "page"})
    attempts = subscribed(notify=spec.notify)  # type: ignore[arg-type]
    known = story([0.3], spec=spec, attempts=attempts)
    assert due(known) == {
        ("owners", "promotion/1"),
        ("owners", "decision/before/retrain"),
        ("owners", "waiting/next/retrain"),
        ("team", "decision/before/retrain"),
        ("team", "waiting/next/retrain"),
    }


def test_without_channels_nobody_is_told_anything() -> None:
    assert owed(story([1.5, 1.5], spec=spec_told(notify={})), NOW) == []


def test_on_an_old_ledger_only_what_goes_on_is_told() -> None:
    known = story([None, None, 1.5, 1.5, 1.5, 0.1, 0.1, 0.1, 1.5, 1.5])
    assert due(known) == {
        ("owners", "waiting/next/retrain"),
        ("owners", "episode/churn.v1.20260117T0000"),
    }
    # The same once it is written since when the channels hear of it.
    assert due(with_attempts(known, subscribed(NOW))) == due(known)


def test_what_happened_since_a_channel_was_set_up_is_told_even_if_it_is_over() -> None:
    since = subscribed(at(1))
    known = story([None, None, 0.1], attempts=since)
    assert ("owners", "insufficient/20260110T0000") in due(known)
    assert ("owners", "promotion/1") not in due(known)  # from before


def test_who_wants_to_hear_of_more_from_now_on_is_not_told_the_past() -> None:
    quiet = subscribed(notify={"owners": "page"})
    known = story([None, None, 0.1], attempts=quiet)
    assert due(known) == {("owners", "waiting/next/retrain")}


def test_a_backfill_is_told_when_it_is_over_and_a_question_at_once() -> None:
    late = {n: NOW - timedelta(minutes=9) + timedelta(seconds=n) for n in range(6)}
    known = story([None, None, 0.1, 1.5, 1.5, 1.5], recorded=late, attempts=subscribed())
    assert ("owners", "waiting/next/retrain") in due(known)
    held = {o.event.key for o in owed(known, NOW) if o.state == "held"}
    assert held == {"insufficient/20260110T0000", "episode/churn.v1.20260112T0000"}
    assert not any(o.is_pending for o in owed(known, NOW) if o.state == "held")
    later = due(known, max(late.values()) + QUIET)
    assert {("owners", key) for key in held} < later


@pytest.mark.parametrize("outcome", ["failed", None])
def test_an_attempt_that_failed_or_died_is_followed_by_another_after_a_while(
    outcome: str | None,
) -> None:
    known = story([], attempts=subscribed(NOW))
    made: list[Attempt] = []
    (one,) = owed(known, NOW)
    for number in range(1, MOST_ATTEMPTS + 1):
        (one,) = owed(with_attempts(known, made), NOW)
        assert (one.state, one.attempt) == ("due", number)
        made.append(replace(attempt(one, outcome, NOW)))
        wait = WAITS[min(number, len(WAITS)) - 1]
        wait = wait if outcome else max(wait, UNSURE)
        (waits,) = owed(with_attempts(known, made), NOW + wait - timedelta(seconds=1))
        assert waits.state == ("waits" if number < MOST_ATTEMPTS else "failed")
        # Let this attempt have been long ago.
        made[-1] = replace(
            made[-1],
            claimed_at=NOW - wait,
            ended_at=NOW - wait if outcome else None,
        )
    (given_up,) = owed(with_attempts(known, made), NOW + timedelta(hours=30))
    assert (given_up.state, given_up.attempt) == ("failed", MOST_ATTEMPTS)
    assert given_up.detail


@given(PRESSURES, st.data())
def test_whatever_part_was_told_the_rest_is_due_and_nothing_else(
    pressures: list[float | None], data: Any
) -> None:
    known = story(pressures, attempts=subscribed())
    everything = [o for o in owed(known, NOW) if o.state == "due"]
    some = data.draw(st.lists(st.sampled_from(everything), unique_by=id)) if everything else []
    after = with_attempts(known, [attempt(one) for one in some])
    names = {(o.channel, o.event.key) for o in some}
    assert due(after) == due(known) - names
    assert due(with_attempts(known, [attempt(one) for one in everything])) == set()


@given(PRESSURES, PRESSURES, st.randoms())
def test_windows_that_come_later_and_rows_in_any_order_tell_nothing_again(
    before: list[float | None], more: list[float | None], random: Any
) -> None:
    first = story(before, attempts=subscribed())
    made = [attempt(one) for one in owed(first, NOW) if one.state == "due"]
    random.shuffle(made)
    later = story(before + more, attempts=[*made, *subscribed()])
    told = {(one.channel, one.event) for one in made}
    assert not due(later) & told
    news = {e.key for e in events_of(later, NOW)} - {e.key for e in events_of(first, NOW)}
    assert {key for _, key in due(later)} <= news


def test_since_when_a_channel_hears_is_no_message() -> None:
    assert FIRST > EARLY
    known = facts(attempts=subscribed(NOW))
    assert owed(known, NOW) == []

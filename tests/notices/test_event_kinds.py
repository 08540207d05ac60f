"""The fold from a model's rows to events: which there are, how severe, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.notices.event_kinds import EVENT_KINDS, events_of
from tasks.notices.events import QUIET, ModelFacts, NoticeEvent, event_key, is_quiet
from tests.conftest import CHURN
from tests.support.facts import LATE, facts, freeze, moved, spec_told
from tests.support.rows import decision, proposal
from tests.support.stood import at, seen

NOW = at(40)
PRESSURES = st.lists(st.sampled_from([None, 0.3, 1.5]), max_size=12)


def told(known: ModelFacts, now: datetime = NOW) -> dict[str, NoticeEvent]:
    """Return the events by key, but for that of the first champion."""
    return {e.key: e for e in events_of(known, now) if e.key != "promotion/1"}


def test_an_episode_that_opened_is_one_event_however_many_windows_follow() -> None:
    breach = [0.3, 1.5, 1.5]
    (event,) = told(facts(breach)).values()
    assert event.key == "episode/churn.v1.20260110T0000"
    assert (event.severity, event.goes_on, event.past) == ("ticket", True, False)
    assert event.since == at(3) + LATE
    assert event.subject == "churn: the margins drift (version 1)"
    assert told(facts([*breach, 1.5, 1.5])).keys() == {event.key}
    (over,) = told(facts([*breach, 0.1, 0.1, 0.1])).values()
    assert (over.key, over.goes_on) == (event.key, False)
    assert "It is over by now." in over.more()


def test_probabilities_that_no_longer_hold_are_an_event_of_their_own() -> None:
    held = {"verdict": "drifting", "pressure": 2.0, "reason": "gap of 0.2", "labelled": 90}
    bad = {"calibration": held}
    (event,) = told(facts(windows=[seen(n, figures=bad) for n in range(3)])).values()
    assert event.key == "episode/churn.v1.recalibrate.20260109T0000"
    assert "the probabilities no longer hold" in event.subject
    assert event.more()[0] == "The window of 2026-01-10 00:00 UTC: gap of 0.2."
    # A retrain calibrates anyway, so that nobody is asked about both.
    both = told(facts(windows=[seen(n, 1.5, figures=bad) for n in range(3)]))
    assert both.keys() == {"episode/churn.v1.20260109T0000"}


@pytest.mark.parametrize(
    ("gone", "key", "severity"),
    [
        (0.0, "waiting/next/retrain", "ticket"),
        (0.49, "waiting/next/retrain", "ticket"),
        (0.51, "half_time/next/retrain", "ticket"),
        (0.91, "last_tenth/next/retrain", "page"),
    ],
)
def test_who_is_asked_is_told_at_once_at_half_of_the_time_and_in_its_last_tenth(
    gone: float, key: str, severity: str
) -> None:
    asked = at(30)
    known = facts(proposals=[proposal("next")], asked={"next": asked})
    now = asked + known.status.spec.approval.timeout * gone
    (event,) = told(known, now).values()
    assert (event.key, event.severity, event.goes_on) == (key, severity, True)
    assert asked <= event.since <= now
    assert event.link == "/dags/retrain.churn/runs/next/required_actions"


def test_nobody_is_told_of_a_question_that_is_answered_or_whose_time_is_over() -> None:
    asked: dict[str, Any] = {"proposals": [proposal("next")], "asked": {"next": at(30)}}
    yes = facts(**asked, decisions=[decision(proposal="next")])
    assert told(yes, at(30)) == {}
    assert told(facts(**asked), at(33)) == {}


def test_a_freeze_is_told_and_while_it_holds_nobody_is_reminded() -> None:
    asked: dict[str, Any] = {"proposals": [proposal("next")], "asked": {"next": at(30)}}
    late = at(30) + timedelta(days=2, hours=22)
    assert "last_tenth/next/retrain" in told(facts(**asked), late)
    stop, go_on = (freeze(number, state) for number, state in ((1, "frozen"), (2, "thawed")))
    frozen = told(facts(**asked, freezes=[stop]), late)
    assert frozen.keys() == {"freeze/1", "waiting/next/retrain"}
    assert (frozen["freeze/1"].severity, frozen["freeze/1"].goes_on) == ("ticket", True)
    assert frozen["freeze/1"].more()[0] == "By ada: the source is repaired"
    assert "python -m tasks thaw churn" in frozen["freeze/1"].more()[1]
    thawed = told(facts(**asked, freezes=[stop, go_on]), late)
    assert thawed.keys() == {"freeze/1", "freeze/2", "last_tenth/next/retrain"}
    assert (thawed["freeze/2"].severity, thawed["freeze/1"].goes_on) == ("info", False)


@pytest.mark.parametrize(
    ("kind", "target", "wanted"),
    [
        ("retrain", None, "you are asked to retrain"),
        ("recalibrate", None, "you are asked to recalibrate"),
        ("adopt", None, "you are asked to take a model that was trained elsewhere as a candidate"),
        ("rollback", 3, "you are asked to roll back to version 3"),
    ],
)
def test_what_is_asked_is_said(kind: str, target: int | None, wanted: str) -> None:
    asked = proposal("next", kind=kind, target=target)
    (event,) = told(facts(proposals=[asked], asked={"next": at(30)}), at(30)).values()
    assert (event.severity, event.subject) == ("ticket", f"churn: {wanted}")


@pytest.mark.parametrize(
    ("kind", "champion", "step", "wanted"),
    [
        ("retrain", 1, "retrain", "retrain"),
        ("retrain", None, "retrain", "train the first champion"),
        ("recalibrate", 1, "retrain", "recalibrate"),
        ("adopt", 1, "retrain", "take a model that was trained elsewhere as a candidate"),
        ("adopt", 1, "promote", "promote a candidate"),
        ("rollback", 2, "rollback", "roll back to version 3"),
    ],
)
def test_that_nobody_answered_is_told_with_what_was_asked(
    kind: str, champion: int | None, step: str, wanted: str
) -> None:
    asked = proposal("next", kind=kind, champion=champion, target=3 if kind == "rollback" else None)
    silence = decision("no_answer", proposal="next", step=step)
    (event,) = told(facts(proposals=[asked], decisions=[silence])).values()
    assert (event.severity, event.subject) == (
        "ticket",
        f"churn: nobody answered whether to {wanted}",
    )


@pytest.mark.parametrize(
    ("step", "answer", "severity", "wanted"),
    [
        ("gates", "failed", "info", "the gates refused the candidate"),
        ("shadow", "failed", "info", "the shadow windows refused the candidate"),
        ("retrain", "no_answer", "ticket", "nobody answered whether to retrain"),
        ("train", "failed", "ticket", "a retrain was approved: train it elsewhere and hand it in"),
        ("run", "ended", "ticket", "a proposal has ended by itself"),
        ("promote", "invalid", "ticket", "a proposal has ended by itself"),
        ("promote", "superseded", "info", "a proposal has ended, since another champion"),
    ],
)
def test_an_end_that_no_person_chose_is_told(
    step: str, answer: str, severity: str, wanted: str
) -> None:
    end = decision(answer, proposal="next", step=step)
    (event,) = told(facts(proposals=[proposal("next")], decisions=[end])).values()
    assert (event.key, event.severity) == (f"decision/next/{step}", severity)
    assert wanted in event.subject
    assert not event.goes_on


@pytest.mark.parametrize("answer", ["approved", "rejected", "withdrawn", "passed"])
def test_what_a_person_chose_is_not_told_to_people(answer: str) -> None:
    known = facts(proposals=[proposal("next")], decisions=[decision(answer, proposal="next")])
    assert told(known) == {}


def unlabelled(*numbers: int) -> list[Any]:
    return [seen(n, figures={"labelled": 0}) for n in numbers]


def test_labels_that_stop_coming_are_one_event_under_the_first_window_without() -> None:
    labelled = [seen(0), seen(1)]
    assert told(facts(windows=[*labelled, *unlabelled(2)])) == {}
    (event,) = told(facts(windows=[*labelled, *unlabelled(2, 3)])).values()
    assert (event.key, event.severity) == ("labels_overdue/20260111T0000", "ticket")
    assert event.subject == "churn: labels are overdue"
    assert (event.since, event.goes_on, event.past) == (at(4) + LATE, True, False)
    (sentence,) = event.more()
    assert sentence.startswith("Labels are overdue: 2 windows in a row have none, since 2026-01-11")
    (same,) = told(facts(windows=[*labelled, *unlabelled(*range(2, 9))])).values()
    assert (same.key, same.since) == (event.key, event.since)
    assert told(facts(windows=[*labelled, *unlabelled(2, 3), seen(4)])) == {}
    twice = [seen(0), *unlabelled(1, 2), seen(3), *unlabelled(4, 5)]
    (again,) = told(facts(windows=twice)).values()
    assert again.key == "labels_overdue/20260113T0000"


def test_late_labels_are_told_once_they_are_awaited_no_more() -> None:
    spec = spec_told(label={**CHURN["label"], "delay": "1d"})
    windows = [seen(0), *unlabelled(*range(1, 8))]  # day 1 is awaited for a day, and four more
    assert told(facts(windows=windows, spec=spec)) == {}
    (event,) = told(facts(windows=[*windows, *unlabelled(8)], spec=spec)).values()
    assert (event.key, event.since) == ("labels_overdue/20260110T0000", at(9) + LATE)
    (same,) = told(facts(windows=[*windows, *unlabelled(8, 9, 10)], spec=spec)).values()
    assert (same.key, same.since) == (event.key, event.since)


def test_a_promotion_is_news_and_a_rollback_wakes_somebody() -> None:
    back = proposal("back", kind="rollback", target=1)
    moves = [moved(2, 2, "next"), moved(3, 1, "back")]
    known = facts(proposals=[proposal("next"), back], promotions=moves)
    assert [(e.key, e.severity, e.subject) for e in told(known).values()] == [
        ("promotion/2", "info", "churn: promoted to version 2"),
        ("promotion/3", "page", "churn: rolled back to version 1"),
    ]


def test_two_insufficient_windows_in_a_row_are_told_once_and_one_is_not() -> None:
    assert told(facts([0.3, None, 0.3, None])) == {}
    (event,) = told(facts([0.3, None, None, None])).values()
    assert (event.key, event.goes_on) == ("insufficient/20260111T0000", True)
    again = told(facts([None, None, 0.3, None, None]))
    assert {key: e.goes_on for key, e in again.items()} == {
        "insufficient/20260110T0000": False,
        "insufficient/20260113T0000": True,
    }


def test_a_window_that_was_recorded_when_the_next_was_due_is_of_the_past() -> None:
    due = at(4)  # the end of the window after the one that opens the episode
    for when, past in ((due, False), (due + timedelta(seconds=1), True)):
        known = facts([0.3, 1.5, 1.5], recorded={2: when})
        (event,) = told(known).values()
        assert event.past is past
        assert is_quiet(known, when) is not past
        assert is_quiet(known, when + QUIET)


def test_short_windows_that_always_come_late_are_told_between_two_of_them() -> None:
    short = spec_told(window={"every": "4m", "start": "2026-01-01"})
    late = at(2) + timedelta(minutes=10)
    known = facts([1.5, 1.5], spec=short, recorded={0: late - timedelta(minutes=4), 1: late})
    assert all(known.is_past(o) for o in known.status.observations)
    assert not is_quiet(known, late + timedelta(seconds=119))
    assert is_quiet(known, late + timedelta(minutes=2))


def test_a_long_name_makes_a_key_that_the_ledger_can_hold_and_no_other_has() -> None:
    first, second = (event_key("waiting", f"{'x' * 240}{end}", "retrain") for end in "ab")
    assert first != second
    assert len(first) < 250


def test_every_kind_of_event_is_in_the_docs() -> None:
    known = Path("docs/messages.md").read_text()
    for key in ("episode", "waiting", "half_time", "last_tenth", "promotion", "decision"):
        assert f"| `{key}/" in known
    for key in ("insufficient", "labels_overdue", "burning", "freeze"):
        assert f"| `{key}/" in known
    assert len(EVENT_KINDS) == 8  # one more is one more line there


@given(PRESSURES, st.randoms())
def test_neither_the_order_of_rows_nor_a_second_look_makes_another_event(
    pressures: list[float | None], random: Any
) -> None:
    known = facts(pressures)
    again = list(known.status.observations)
    random.shuffle(again)
    shuffled = facts(windows=sorted(again, key=lambda o: o.window_start))
    assert _plain(events_of(shuffled, NOW)) == _plain(events_of(known, NOW))
    assert len({e.key for e in events_of(known, NOW)}) == len(events_of(known, NOW))


@given(PRESSURES, PRESSURES)
def test_what_was_an_event_stays_the_same_event_when_more_windows_come(
    before: list[float | None], more: list[float | None]
) -> None:
    then, now = (told(facts(pressures)) for pressures in (before, before + more))
    for key, event in then.items():
        assert (now[key].severity, now[key].since) == (event.severity, event.since)


def _plain(events: list[NoticeEvent]) -> list[Any]:
    return [(replace(e, more=tuple), list(e.more())) for e in events]

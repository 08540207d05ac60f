"""The hysteresis over readings and pauses."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.drift.latch import Latch, LatchHistory, Pause, Reading, fold
from tasks.spec.policy_options import LatchPolicy
from tasks.spec.windows import Window

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
AWAITED = 5 * DAY
PRESSURE = {"d": 1.5, "w": 0.9, "s": 0.5}
VERDICT = {"d": "drifting", "w": "steady", "s": "steady", "i": "insufficient"}


def day(k: int, kind: str, version: int = 1) -> Reading:
    """Return day k: d(rifting), s(teady), w(arm: steady above `close.at`) or i(nsufficient).

    A capital was judged without its labels, which are awaited for five days.
    """
    window = Window(START + k * DAY, START + (k + 1) * DAY)
    awaited, kind = window.end + AWAITED if kind.isupper() else None, kind.lower()
    return Reading(window, version, VERDICT[kind], PRESSURE.get(kind), awaited)  # type: ignore[arg-type]


def promotion(k: int) -> Pause:
    return Pause(START + k * DAY, promotion=True)


def refusal(k: int) -> Pause:
    return Pause(START + k * DAY, promotion=False)


def policy(breaches: int = 2, of: int = 3, steady: int = 3, rest: str | int = "3d") -> LatchPolicy:
    return LatchPolicy.model_validate(
        {"open": {"breaches": breaches, "of": of}, "close": {"steady": steady}, "rest": rest}
    )


def run(kinds: str, *pauses: Pause, policy: LatchPolicy = policy()) -> LatchHistory:  # noqa: B008
    return fold("churn", days(kinds), pauses, policy)


def days(kinds: str) -> list[Reading]:
    return [day(k, kind) for k, kind in enumerate(kinds)]


def states(history: LatchHistory) -> str:
    """Return each window's state by its first letter."""
    return "".join(latch.state[0] for _, latch in history.steps)


histories = st.tuples(
    st.text("dwsiSSD", max_size=30).map(days),
    st.lists(st.builds(Pause, st.integers(0, 32).map(lambda k: START + k * DAY), st.booleans())),
    st.builds(
        policy,
        of=st.just(3),
        breaches=st.integers(1, 3),
        steady=st.integers(1, 3),
        rest=st.sampled_from(["0d", "1d", "5d", "36h"]),
    ),
)
Case = tuple[list[Reading], list[Pause], LatchPolicy]


@settings(max_examples=60, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_history(case: Case, chance: random.Random) -> None:
    readings, pauses, policy = case
    expected = fold("churn", readings, pauses, policy)
    shuffled = [chance.sample(items, len(items)) for items in (readings, pauses)]
    assert fold("churn", *shuffled, policy) == expected


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(0, 30))
def test_no_step_looks_ahead(case: Case, k: int) -> None:
    """What was known on a day gives the steps that the whole history has up to that day."""
    readings, pauses, policy = case
    until = START + len(readings) * DAY
    whole = fold("churn", readings, pauses, policy).steps[:k]
    assert fold("churn", readings[:k], pauses, policy, until=until).steps == whole
    known = [pause for pause in pauses if pause.since < START + k * DAY]
    assert fold("churn", readings[:k], known, policy, until=until).steps == whole


@settings(max_examples=60, deadline=None)
@given(histories)
def test_it_never_opens_while_it_rests(case: Case) -> None:
    readings, pauses, policy = case
    before: str | None = None
    for reading, latch in fold("churn", readings, pauses, policy).steps:
        window = reading.window
        known = [p for p in pauses if p.since <= window.start]
        longest = policy.rest * 2 ** max(sum(not p.promotion for p in known) - 1, 0)
        rests = latch.state == "resting"
        assert rests or not any(window.end < p.since + policy.rest for p in known)
        assert not rests or any(window.end < p.since + longest for p in known)
        assert latch.state != "open" or latch.episode is not None
        if rests:
            assert latch.episode in (None, before)
        before = latch.episode


@settings(max_examples=60, deadline=None)
@given(histories)
def test_an_episode_is_named_once(case: Case) -> None:
    steps = fold("churn", *case).steps
    spans = [name for name, _ in groupby(latch.episode for _, latch in steps) if name]
    assert len(spans) == len(set(spans))


@settings(max_examples=60, deadline=None)
@given(histories)
def test_an_episode_is_named_by_a_window_that_breached(case: Case) -> None:
    breaching = {f"churn.v1.{r.window.name}" for r in case[0] if r.verdict == "drifting"}
    steps = fold("churn", *case).steps
    assert {latch.episode for _, latch in steps if latch.episode} <= breaching


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("ssd", "ccc"),
        ("dd", "co"),
        ("dsd", "cco"),
        ("dssd", "cccc"),
        ("dwwd", "cccc"),
        ("disid", "cccco"),
    ],
)
def test_it_opens_at_two_breaches_of_the_last_three_verdicts(kinds: str, expected: str) -> None:
    assert states(run(kinds)) == expected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("ddsss", "coooc"),
        ("ddsis", "coooo"),
        ("ddsisis", "coooooc"),
        ("ddsswsss", "cooooooc"),
        ("ddssdsss", "cooooooc"),
        ("ddsssd", "cooocc"),
    ],
)
def test_it_closes_after_three_calm_windows_in_a_row(kinds: str, expected: str) -> None:
    """A window near its limit breaks the row; an insufficient one neither breaks nor counts."""
    assert states(run(kinds)) == expected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("ddSSS", "coooo"),  # nobody has looked at their labels
        ("ddsSsSs", "coooooc"),  # nor do they break the row
        ("ddssWsss", "cooooooc"),  # what speaks against calm counts at once
        ("ddssDsss", "cooooooc"),
        ("dSSd", "cccc"),  # it opens as if they were looked at
        ("sDD", "cco"),
        ("ddSSSiiii", "coooooooo"),  # the 5th is awaited for five days: up to the 10th …
        ("ddSSSiiiiii", "cooociiiiii".replace("i", "c")),  # … and then counts as its scores say
    ],
)
def test_a_calm_window_whose_labels_are_awaited_does_not_help_to_close(
    kinds: str, expected: str
) -> None:
    assert states(run(kinds)) == expected


@settings(max_examples=60, deadline=None)
@given(histories)
def test_it_opens_first_where_it_would_had_all_labels_agreed_and_closes_no_sooner(
    case: Case,
) -> None:
    readings, _, policy = case
    agreed = [replace(r, awaited_until=None) for r in readings]
    waits, plain = (states(fold("churn", some, [], policy)) for some in (readings, agreed))
    assert waits.find("o") == plain.find("o")
    assert waits.find("oc") == -1 or 0 <= plain.find("oc") <= waits.find("oc")


@settings(max_examples=60, deadline=None)
@given(histories)
def test_what_is_awaited_no_more_is_as_if_it_had_never_been(case: Case) -> None:
    readings, pauses, policy = case
    agreed = [replace(r, awaited_until=None) for r in readings]
    later = START + len(readings) * DAY + AWAITED + DAY
    said = fold("churn", readings, pauses, policy, until=later)
    assert [latch for _, latch in said.steps] == [
        latch for _, latch in fold("churn", agreed, pauses, policy).steps
    ]


def test_an_episode_is_named_by_model_version_and_first_breaching_window() -> None:
    history = fold("churn", [day(0, "s", 4), day(1, "d", 4), day(2, "d", 4)], [], policy())
    assert [latch.episode for _, latch in history.steps] == [None, None, "churn.v4.20260102T0000"]
    assert history.now == Latch("open", "churn.v4.20260102T0000", None)


def test_a_promotion_ends_the_episode_and_rests() -> None:
    history = run("ddsss", promotion(2))
    assert states(history) == "corrc"
    assert [latch.episode is None for _, latch in history.steps] == [True, False, True, True, True]
    assert history.steps[2][1].rests_until == START + 5 * DAY


def test_a_refusal_keeps_the_episode_and_rests() -> None:
    history = run("dddddd", refusal(2))
    assert states(history) == "corroo"
    assert {latch.episode for _, latch in history.steps[1:]} == {"churn.v1.20260101T0000"}


def test_a_refused_episode_may_still_end_by_itself() -> None:
    history = run("ddsssd", refusal(2))
    assert states(history) == "corrcc"
    assert history.now.episode is None


def test_breaches_while_it_rests_open_it_when_the_rest_ends() -> None:
    history = run("ddddd", promotion(2))
    assert states(history) == "corro"
    assert history.now.episode == "churn.v1.20260103T0000"


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(1, 5))
def test_a_rest_of_windows_is_as_long_as_they_are(case: Case, windows: int) -> None:
    readings, pauses, _ = case
    counted, timed = (
        fold("churn", readings, pauses, policy(rest=r)) for r in (windows, f"{windows}d")
    )
    assert counted == timed

    def longer(moment: datetime) -> datetime:
        return START + 30 * (moment - START)

    months = [
        replace(
            r,
            window=Window(longer(r.window.start), longer(r.window.end)),
            awaited_until=r.awaited_until and longer(r.awaited_until),
        )
        for r in readings
    ]
    later = [replace(p, since=longer(p.since)) for p in pauses]
    assert states(fold("churn", months, later, policy(rest=windows))) == states(counted)


@pytest.mark.parametrize("hours", [23, 25])
def test_a_rest_of_windows_ends_with_its_last_one_though_clocks_change(hours: int) -> None:
    ends = [START + DAY * k + timedelta(hours=hours - 24) * (k > 3) for k in range(6)]
    readings = [Reading(Window(a, b), 1, "drifting", 1.5) for a, b in pairwise(ends)]
    assert states(fold("churn", readings, [refusal(2)], policy(rest=2))) == "coroo"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9))
def test_each_refusal_doubles_the_rest_up_to_64_times_until_a_promotion(
    rest: int, refusals: int
) -> None:
    pauses, at = [], 2  # two breaches opened it

    def rests(since: int, windows: int) -> bool:
        history = run("d" * (since + windows), *pauses, policy=policy(rest=rest))
        return states(history)[since:] == "r" * (windows - 1) + "o"

    for number in range(refusals):
        pauses.append(refusal(at))
        length = rest * 2 ** min(number, 6)
        assert rests(at, length)
        at += length
    opened = at + max(rest, 2)
    pauses += [promotion(at), refusal(opened)]
    assert rests(opened, rest)


def test_a_later_pause_prolongs_the_rest_and_an_earlier_one_never_shortens_it() -> None:
    assert states(run("sssssss", promotion(1), refusal(3))) == "crrrrcc"


def test_a_pause_after_the_newest_window_counts_for_the_state_now() -> None:
    history = run("dd", promotion(2))
    assert states(history) == "co"
    assert history.now == Latch("resting", None, START + 5 * DAY)


def test_without_readings_it_is_closed() -> None:
    assert fold("churn", [], [], policy()) == LatchHistory((), Latch("closed", None, None))


@given(histories, st.integers(0, 30))
def test_a_fold_that_goes_on_from_another_ones_memory_ends_as_one_over_all(
    history: tuple[list[Reading], list[Pause], LatchPolicy], cut: int
) -> None:
    readings, pauses, policy = history
    whole = fold("churn", readings, pauses, policy)
    early, late = readings[:cut], readings[cut:]
    memory = fold("churn", early, pauses, policy, until=START + len(readings) * DAY).memory
    assert memory.goes_before(late, pauses)
    resumed = fold("churn", late, pauses, policy, after=memory)
    assert resumed.steps == whole.steps[cut:]
    assert (resumed.now, resumed.memory) == (whole.now, whole.memory)


@given(histories, st.integers(1, 30), st.integers(-1, 32), st.booleans())
def test_a_memory_that_says_it_goes_before_more_pauses_or_readings_is_right(
    history: tuple[list[Reading], list[Pause], LatchPolicy], cut: int, at: int, promotes: bool
) -> None:
    readings, pauses, policy = history
    memory = fold("churn", readings[:cut], pauses, policy).memory
    more = [*pauses, promotion(at) if promotes else refusal(at)]
    waits = any(r.awaited_until and r.verdict == "steady" for r in readings[:cut])
    if memory.goes_before(readings[cut:], more):
        resumed = fold("churn", readings[cut:], more, policy, after=memory)
        assert resumed.steps == fold("churn", readings, more, policy).steps[cut:]
    else:
        assert at < cut or waits
    assert not memory.goes_before(readings[:cut], pauses) or not readings


def test_a_memory_goes_before_readings_while_the_same_labels_are_awaited() -> None:
    """One day more and one is awaited no longer; one day less, and it would be again."""
    memory = run("ddSs").memory
    assert [memory.goes_before([day(k, "s")], []) for k in (4, 7, 8)] == [True, True, False]
    settled = fold("churn", days("ddSs"), [], policy(), until=START + 9 * DAY).memory
    assert [settled.goes_before([day(k, "s")], []) for k in (4, 7, 8)] == [False, False, True]

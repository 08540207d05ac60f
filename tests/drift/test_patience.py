"""When an open episode is asked about: it still breaches, and there are rows to learn from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from tasks.drift.patience import Fresh, Taught, wait
from tasks.drift.verdict import Verdict
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.support.flow import MODEL

SPEC = ModelSpec.model_validate(
    {
        **MODEL.model_dump(mode="json"),
        "latch": {"open": {"breaches": 2, "of": 3}},
        "training": {"window": "8d"},
    }
)
BREACH = datetime(2026, 1, 9, tzinfo=UTC)


def fresh(day: int, verdict: Verdict, labels: dict[str, int], *, shows: bool = True) -> Fresh:
    start = BREACH + timedelta(days=day)
    taught = Taught(labels, shows)
    return Fresh(Window(start, start + timedelta(days=1)), verdict, lambda: taught)


def seen(*verdicts: Verdict, labels: dict[str, int] | None = None) -> list[Fresh]:
    rows = {"0": 200, "1": 100} if labels is None else labels
    return [fresh(k, verdict, rows) for k, verdict in enumerate(verdicts)]


def test_it_is_asked_with_the_third_window_since_the_breach() -> None:
    told = wait(SPEC, seen("drifting", "drifting"), BREACH)
    assert told == (
        "it is asked after the next window: so far 600 labelled rows are from after "
        "2026-01-09 00:00"
    )
    assert wait(SPEC, seen("drifting", "drifting", "drifting"), BREACH) is None
    assert wait(SPEC, seen("drifting", "steady", "drifting"), BREACH) is None


def test_what_has_passed_is_not_asked_about() -> None:
    told = wait(SPEC, seen("drifting", "drifting", "steady"), BREACH)
    assert told == "the newest window does not breach: it is asked with the next one that does"
    told = wait(SPEC, seen("drifting", "drifting", "drifting", "insufficient"), BREACH)
    assert told is None


def test_a_rare_class_is_waited_for_and_a_rarer_one_is_not() -> None:
    rare = {"0": 300, "1": 10}  # 34 rows are needed for five in what calibrates
    assert "the next window" in str(wait(SPEC, seen(*["drifting"] * 3, labels=rare), BREACH))
    assert wait(SPEC, seen(*["drifting"] * 4, labels=rare), BREACH) is None
    assert wait(SPEC, seen(*["drifting"] * 3, labels={"0": 300, "1": 9}), BREACH) is None


def test_few_labels_are_waited_for_no_longer_than_the_training_window() -> None:
    few = {"0": 3, "1": 2}
    assert "5 more windows" in str(wait(SPEC, seen(*["drifting"] * 3, labels=few), BREACH))
    assert wait(SPEC, seen(*["drifting"] * 8, labels=few), BREACH) is None
    assert wait(SPEC, seen(*["drifting"] * 8, labels={}), BREACH) is None


def test_where_labels_alone_show_it_a_window_without_any_says_nothing() -> None:
    labelled = [fresh(k, "drifting", {"0": 200, "1": 100}, shows=False) for k in range(3)]
    assert wait(SPEC, [*labelled, fresh(3, "steady", {}, shows=False)], BREACH) is None


@given(
    st.lists(st.sampled_from(["drifting", "steady", "insufficient"]), max_size=20),
    st.integers(0, 40),
    st.integers(0, 400),
)
def test_whatever_comes_the_wait_has_an_end(verdicts: list[Verdict], rare: int, many: int) -> None:
    windows = seen(*verdicts, labels={"0": many, "1": rare})
    told = wait(SPEC, windows, BREACH)
    judged = [v for v in verdicts if v != "insufficient"]
    if len(verdicts) >= 8 and judged and judged[-1] == "drifting":
        assert told is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["drifting", "steady", "insufficient"]), st.booleans()),
        min_size=9,
        max_size=60,
    ),
    st.booleans(),
)
def test_however_long_it_was_open_no_more_windows_are_read_than_are_trained_on(
    windows: list[tuple[Verdict, bool]], labelled: bool
) -> None:
    read: list[Window] = []

    def taught(window: Window, shows: bool) -> Taught:
        read.append(window)
        return Taught({"0": 200, "1": 100} if labelled else {}, shows)

    past = [
        replace(one, read=partial(taught, one.window, shows))
        for one, (_, shows) in zip(seen(*(v for v, _ in windows)), windows, strict=True)
    ]
    wait(SPEC, past, BREACH)
    assert len(read) <= (1 if labelled else 8)

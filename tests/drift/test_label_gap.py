"""Labels that stop coming: from which windows on, and when nobody awaits them any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drift.label_gap import LabelGap, label_gap
from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tests.conftest import CHURN

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PLAIN = ModelSpec.model_validate(CHURN)
LATE = PLAIN.model_copy(update={"label": PLAIN.label.model_copy(update={"delay": 2 * DAY})})


def gap(labelled: str, spec: ModelSpec = PLAIN) -> LabelGap | None:
    """Return the gap after days with many (`9`), a few (`1`), no (`0`) labels, or no rows (`-`)."""
    days = [Window(START + k * DAY, START + (k + 1) * DAY) for k in range(len(labelled))]
    seen = [(w, None if n == "-" else int(n)) for w, n in zip(days, labelled, strict=True)]
    return label_gap(spec, reversed(seen), days[-1].end)


def found(labelled: str, spec: ModelSpec = PLAIN) -> tuple[int, int, int] | None:
    """Return the first day of the gap, how many windows it has, and how many are given up."""
    one = gap(labelled, spec)
    return one and ((one.windows[0].start - START).days, len(one.windows), one.lost)


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [
        ("999", None),
        ("990", (2, 1, 1)),
        ("9900", (2, 2, 2)),
        ("90-0", (1, 2, 2)),  # a window without rows misses no label
        ("99001", None),  # a few are some
        ("000", None),  # where labels never came with the rows nobody misses them
    ],
)
def test_labels_that_come_with_the_rows_are_missed_at_once_if_any_came_before(
    labelled: str, expected: tuple[int, int, int] | None
) -> None:
    assert found(labelled) == expected


@pytest.mark.parametrize(
    ("zeros", "expected"),
    [
        (3, None),  # of the first of these days they came due with the newest window
        (4, (2, 1, 0)),
        (11, (2, 8, 0)),  # day 2 is awaited for two days, and four times two
        (12, (2, 9, 1)),
        (13, (2, 10, 2)),
    ],
)
def test_late_labels_are_overdue_after_their_delay_and_given_up_after_four_times_more(
    zeros: int, expected: tuple[int, int, int] | None
) -> None:
    assert found("99" + "0" * zeros, LATE) == expected


def test_late_labels_that_never_came_are_missed_as_well() -> None:
    one = gap("0" * 13, LATE)
    assert one is not None
    assert one.told
    assert one.sentence == (
        "labels are overdue: 10 windows in a row have none, since 2026-01-01 00:00; of 2 none is "
        "awaited any more; only scores count now, and they do not show that a rule has changed"
    )


@given(st.text("019-", min_size=1, max_size=30), st.sampled_from([PLAIN, LATE]))
def test_a_gap_that_is_told_keeps_its_first_window_while_no_label_comes(
    labelled: str, spec: ModelSpec
) -> None:
    before, after = gap(labelled, spec), gap(labelled + "0", spec)
    if before is not None and before.told:
        assert after is not None
        assert after.told
        assert after.windows[0] == before.windows[0]

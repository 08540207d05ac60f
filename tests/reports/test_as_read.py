"""Figures and moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.reports import as_read


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.12345, "0.123"), (float("inf"), "inf")],
)
def test_a_figure_that_is_not_known_is_a_dash(value: float | None, told: str) -> None:
    assert as_read.rounded(value) == told


def test_midnight_is_left_out_and_other_hours_are_not() -> None:
    midnight = datetime(2026, 1, 5, tzinfo=UTC)
    assert as_read.minute(midnight) == "2026-01-05"
    assert as_read.minute(midnight + timedelta(hours=7)) == "2026-01-05 07:00"
    assert as_read.minute(None) == as_read.day(None) == as_read.counted(None) == "–"

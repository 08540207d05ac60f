"""Where the page of a validation lies, and of which rows an address says that it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.reports.validation_page import rows_validated, validation_path
from tasks.spec.windows import Window

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=1))


@given(st.text("0123456789abcdef", min_size=1))
def test_an_address_says_which_rows_its_page_is_about(digest: str) -> None:
    assert rows_validated(validation_path("churn", WINDOW, digest), "churn", WINDOW) == digest


@pytest.mark.parametrize(
    "other",
    [
        "",
        "reports/churn/validation-1.html",
        validation_path("sales", WINDOW, "1"),
        validation_path("churn", Window(START, START + timedelta(days=2)), "1") + "l",
    ],
)
def test_an_address_of_another_page_says_nothing(other: str) -> None:
    assert rows_validated(other, "churn", WINDOW) is None

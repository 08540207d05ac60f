"""The report of a window: failures first, nothing else needed, and no value of a row."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.reports.validation_page import report_html
from tasks.validation.checked_window import WindowOutcome
from tests.support.checked import BETWEEN, WINDOW, rows, run, spec_of

MARKER, NUMBER = "hush-hush-4711", 86753.09


def test_no_value_of_a_row_leaves_the_quarantine(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(
        expectations=[
            {"type": "expect_column_value_lengths_to_equal", "column": "region", "value": 5},
            {"type": BETWEEN, "column": "region", "min_value": 1},
        ]
    )
    table = rows(
        key=[f"{MARKER}-{i % 99}" for i in range(100)],
        region={3: MARKER},
        price={4: NUMBER},
        up={5: 47110815},
    )
    for wanted in (spec, spec_of(expectations=spec.expectations[:1]), spec_of()):
        verdict, _ = run(table, wanted, constants={"price": 0.0})
        page = report_html(wanted, WINDOW, verdict, model_version=3, data_digest="d1")
        spoken = "".join(capfd.readouterr())
        for text in (repr(verdict), page, caplog.text, spoken):
            assert MARKER not in text
            assert str(NUMBER) not in text
            assert "47110815" not in text


def test_the_report_names_the_failures_first_and_needs_nothing_else() -> None:
    spec = spec_of()
    verdict, _ = run(rows(price={5: np.inf}), spec)
    page = report_html(spec, WINDOW, verdict, model_version=5, data_digest="abc123")
    for text in ("tiny", str(WINDOW).replace("[", "["), "version 5", "abc123", spec.digest, "99"):
        assert text in page
    assert page.index("Failed checks") < page.index("Passed checks")
    assert "http" not in page
    assert "<script" not in page


def test_the_report_escapes_what_the_spec_says() -> None:
    spec = spec_of(features={"numeric": ["<b>x</b>"]})
    verdict, _ = run(rows(), spec)
    page = report_html(spec, WINDOW, verdict, model_version=None, data_digest="d")
    assert "<b>x</b>" not in page
    assert "model version" not in page


def test_a_window_without_rows_has_a_report() -> None:
    problem = "rows.parquet holds no row for the window"
    verdict = WindowOutcome(
        rows=0, accepted=0, quarantined=0, checks=(), problem=problem, warnings=()
    )
    page = report_html(spec_of(), WINDOW, verdict, model_version=None, data_digest="d")
    assert "rows.parquet holds no row" in page

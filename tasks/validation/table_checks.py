"""What is asked of a window as a whole: few bad rows, enough good ones, new ones, living features.

Pure.
"""

from __future__ import annotations

from datetime import datetime

from tasks.spec.model import ModelSpec
from tasks.spec.windows import Window
from tasks.validation.rules import Check


def check_share(spec: ModelSpec, rows: int, bad: int, why: str) -> Check:
    """Return whether few enough rows are quarantined; `why` names what most of them failed."""
    most = spec.validation.max_quarantined
    passed = bad <= most * rows
    return Check(
        expectation="expect_quarantined_share_to_be_at_most",
        column=None,
        effect="stop",
        passed=passed,
        detail=f"{bad:,} of {rows:,} rows are quarantined, at most {100 * most:g} % may be",
        remedy=f"most of them by {why}; repair them, or raise validation.max_quarantined",
        failed_rows=0 if passed else bad,
    )


def check_constant(spec: ModelSpec, column: str, differ: int) -> Check:
    """Return whether a feature that stood still in the reference does so here."""
    detail = "constant in the reference"
    if differ:
        detail += f", now alive: {differ:,} rows differ"
    stops = spec.validation.constant_feature == "insufficient"
    return Check(
        expectation="expect_column_values_to_be_in_set",
        column=column,
        effect="stop" if stops else "warn",
        passed=not differ,
        detail=detail,
        remedy="repair it, or set validation.constant_feature: measure"
        if stops
        else "it is measured all the same (validation.constant_feature)",
        failed_rows=differ,
    )


def check_volume(spec: ModelSpec, accepted: int) -> Check:
    """Return whether there are enough accepted rows to be measured."""
    least = spec.window.min_rows
    return Check(
        expectation="expect_table_row_count_to_be_between",
        column=None,
        effect="stop",
        passed=accepted >= least,
        detail=f"at least {least:,} accepted rows; there are {accepted:,}",
        remedy="land the rest, or lower window.min_rows",
    )


def check_freshness(spec: ModelSpec, window: Window, newest: datetime | None) -> Check:
    """Return whether the newest accepted row is near enough to the window's end."""
    since = window.end - spec.validation.fresh * (window.end - window.start)
    passed = newest is not None and newest >= since
    detail = f"an accepted row at or after {since:%Y-%m-%d %H:%M} UTC"
    return Check(
        expectation="expect_column_max_to_be_between",
        column=spec.source.time,
        effect="stop",
        passed=passed,
        detail=detail if passed else f"{detail}; there is none, the data is stale",
        remedy="land the rest, or raise validation.fresh",
    )

"""A validation as one self-contained HTML page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks import store
from tasks.reports.page import render

if TYPE_CHECKING:
    from tasks.spec.model import ModelSpec
    from tasks.spec.windows import Window
    from tasks.validation.checked_rows import Checked
    from tasks.validation.checked_window import WindowOutcome
    from tasks.validation.rules import Check

_GRAVITY = ("stop", "quarantine", "warn")


def publish(
    spec: ModelSpec, window: Window, checked: Checked, model_version: int | None = None
) -> str:
    """Keep the page in the store; return its address there."""
    digest = checked.data_digest
    address = validation_path(spec.model, window, digest)
    page = report_html(spec, window, checked, model_version=model_version, data_digest=digest)
    store.write(address, page)
    return address


def validation_path(model: str, window: Window, data_digest: str) -> str:
    """Return where the store has the page on those rows of a window."""
    return f"reports/{model}/{window.name}/validation-{data_digest}.html"


def rows_validated(report: str, model: str, window: Window) -> str | None:
    """Return the digest of the rows that a page is about; None if the address is of no such page.

    An observation keeps the digest of all that was seen for its window, and this address.
    """
    before, after = validation_path(model, window, "*").split("*")
    if not (report.startswith(before) and report.endswith(after)):
        return None
    return report[len(before) : -len(after)]


def report_html(
    spec: ModelSpec,
    window: Window,
    validation: WindowOutcome,
    *,
    model_version: int | None,
    data_digest: str,
) -> str:
    """Return the page: it loads nothing from anywhere and holds no row's value.

    But a label that is no class, where ten rows or more share it; see `classes.Strangers`.
    """

    failed = [check for check in validation.checks if not check.passed]
    # Twenty columns that exist make one line: those checks differ in their column only.
    passed: dict[tuple[str, str, str, str], list[Check]] = {}
    for check in validation.checks:
        if check.passed:
            key = (check.expectation, check.origin, check.effect, check.detail)
            passed.setdefault(key, []).append(check)
    return render(
        "validation.html",
        spec=spec,
        window=window,
        validation=validation,
        failed=sorted(failed, key=lambda check: _GRAVITY.index(check.effect)),
        passed=list(passed.values()),
        version=model_version,
        data_digest=data_digest,
        percent=percent,
    )


def percent(part: int, whole: int) -> str:
    """Return a share as people read it: `0.13 %`, `100 %`; a dash where there is no whole."""
    if not whole:
        return "–"
    share = 100 * part / whole
    # Neither none nor all may be said of what is only nearly so.
    if 0 < share < 0.01:
        return "< 0.01 %"
    if 99.99 < share < 100:
        return "> 99.99 %"
    return f"{share:.2f}".rstrip("0").rstrip(".") + " %"

"""A rehearsal as one page, for a review. Pure."""

from __future__ import annotations

from tasks.rehearsal.rehearsed import Rehearsed
from tasks.reports.page import render


def rehearsal_html(found: Rehearsed) -> str:
    """Return the page: it loads nothing from anywhere, and holds no row."""
    played = [line for line in found.lines if line.told]
    return render(
        "rehearsal.html",
        found=found,
        played=played,
        told=[line for line in played if len(line.alarmed) == len(line.told)],
        unplayed=[line for line in found.lines if line.problem],
        lines={line.scenario: line for line in found.lines},
    )

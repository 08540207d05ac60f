"""How the pages' addresses name windows, and where a proposal's brief is. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.ledger.records import Observation
from tasks.reports.brief_links import slug

_WINDOW = re.compile(
    r"(?P<start>\d{8}T\d{4})(?:\.v(?P<version>\d{1,9})\.(?P<revision>\d{1,9}))?", re.ASCII
)
# By step of a proposal, the page of the brief that was shown with the question.
_BRIEFS = {"retrain": "retrain", "promote": "promotion", "rollback": "rollback"}


@dataclass(frozen=True, kw_only=True)
class WindowName:
    """A window as an address names it; without a version it is the champion's newest word on it."""

    start: str
    version: int | None = None
    revision: int | None = None

    def fits(self, seen: Observation) -> bool:
        """Return whether an observation is the one that is named."""
        return (
            seen.window.name == self.start
            and self.version in (None, seen.version)
            and self.revision in (None, seen.revision)
        )


def window_name(seen: Observation) -> str:
    """Return how an address names a window under a version and at a revision."""
    return f"{seen.window.name}.v{seen.version}.{seen.revision}"


def parsed(name: str) -> WindowName | None:
    """Return what an address names; None if that is no window."""
    found = _WINDOW.fullmatch(name)
    if found is None:
        return None
    numbers = [
        None if found[part] is None else int(found[part]) for part in ("version", "revision")
    ]
    return WindowName(start=found["start"], version=numbers[0], revision=numbers[1])


def brief(model: str, proposal: str, step: str) -> str:
    """Return where the brief of a step is, below the address of the reports."""
    return f"{model}/{slug(proposal)}/{_BRIEFS.get(step, step)}.html"

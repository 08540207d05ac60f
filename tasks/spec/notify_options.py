"""Who is told of a model: names of channels, and how much each of them wants to hear."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from tasks.spec.part import Name

Severity = Literal["info", "ticket", "page"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # from the least to the most urgent
MOST_CHANNELS = 20  # of a model

Notify = Annotated[dict[Name, Severity], Field(max_length=MOST_CHANNELS)]


def reaches(severity: Severity, least: Severity) -> bool:
    """Return whether a severity is the least one that a channel wants to hear, or above it."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)

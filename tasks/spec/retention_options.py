"""How long what explains a window is kept; what decisions need is kept for ever."""

from __future__ import annotations

from pydantic import Field

from tasks.spec.part import Duration, SpecPart

_AGE = "left out: for ever"


class Retention(SpecPart):
    figures: Duration | None = Field(
        default=None,
        description="how long before the newest window `python -m tasks expire` leaves the figures "
        f"that explain a single window, such as its features; {_AGE}",
    )
    quarantine: Duration | None = Field(
        default=None, description=f"the same of quarantined rows in the store; {_AGE}"
    )
    review: Duration | None = Field(
        default=None, description=f"the same of rows for review in the store; {_AGE}"
    )
    summaries: Duration | None = Field(
        default=None, description=f"the same of windows' summaries in the store; {_AGE}"
    )

"""What every part of the model spec is made of: its base class, durations, shares, names.

Like `spec.py` it is imported while Airflow parses DAGs: pydantic only.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class SpecError(ValueError):
    """A model spec that cannot be used: names file, each YAML path, the value and the remedy."""


def parse_duration(text: object) -> timedelta:
    """Return the duration that `7d`, `12h`, `30m` or `2w` means.

    Raises
    ------
    ValueError
        If the text is not a whole number followed by one of m, h, d, w.
    """
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(r"(\d+)([mhdw])", str(text))
    if match is None:
        raise ValueError("write a whole number and a unit: 30m, 12h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def format_duration(span: timedelta) -> str:
    """Return the shortest spec notation of a duration; the inverse of `parse_duration`."""
    minutes = int(span.total_seconds() // 60)
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Label = int | str


class SpecPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

"""What every part of the model spec is made of: its base class, durations, shares, names.

It is imported while Airflow parses DAGs, so it needs pydantic only. What bounds them, and
why, is in `bounds.py`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from tasks import bounds
from tasks.errors import Final

_BACK = 10_000  # windows that the latch looks back on at the most
_TAG = 40  # characters: many stand in one cell


class SpecError(Final, ValueError):
    """A model spec that cannot be used: names file, each YAML path, the value and the remedy."""


def parse_duration(text: object) -> timedelta:
    """Return the duration that `7d`, `12h`, `30m` or `2w` means.

    Raises
    ------
    ValueError
        If the text is not a whole number followed by one of m, h, d, w, or says more than a
        hundred years.
    """
    return bounds.duration(text)


def format_duration(span: timedelta) -> str:
    """Return the shortest spec notation of a duration; the inverse of `parse_duration`."""
    minutes = int(span.total_seconds() // 60)
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def _lasting(text: object) -> timedelta:
    return bounds.duration(text, least=bounds.SHORTEST)


def _windows_or_duration(value: object) -> object:
    # Decided before pydantic tries both, which would be two mistakes under names of its own.
    if not isinstance(value, int) or isinstance(value, bool):
        return parse_duration(value)
    if not 1 <= value <= _BACK:
        raise ValueError(f"write 1 to {_BACK} windows, or 0d for none")
    return value


def _not_tiny(value: float) -> float:
    if value < 1e-12:
        raise ValueError("smaller than 1e-12; what is that small cannot be told from nothing")
    return value


def _label(value: int | str) -> int | str:
    if isinstance(value, str):
        if not 1 <= len(value) <= bounds.TEXT:
            raise ValueError(f"a class of {len(value)} characters; write 1 to {bounds.TEXT}")
        return bounds.printable(value)
    if abs(value) > bounds.WHOLE:
        raise ValueError("beyond ±2^53, where numbers are no longer told apart; write it in quotes")
    return value


_duration = PlainSerializer(format_duration, return_type=str)
_printable = AfterValidator(bounds.printable)
Duration = Annotated[timedelta, BeforeValidator(parse_duration), _duration]
Length = Annotated[timedelta, BeforeValidator(_lasting), _duration]  # a duration above nothing
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=bounds.NAME)]
DagId = Annotated[str, Field(pattern=r"^[\w.-]+$", max_length=bounds.NAME)]  # as Airflow has it
Text = Annotated[str, Field(min_length=1, max_length=bounds.TEXT), _printable]
Path = Annotated[str, Field(min_length=1, max_length=bounds.PATH), _printable]
Tag = Annotated[str, Field(min_length=1, max_length=_TAG), _printable]
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, le=1e12)]
Positive = Annotated[float, Field(gt=0, le=1e12), AfterValidator(_not_tiny)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=bounds.INTEGER)]
Windows = Annotated[int, Field(ge=1, le=_BACK)]
Rest = Annotated[
    int | timedelta,
    BeforeValidator(_windows_or_duration),
    PlainSerializer(lambda rest: rest if isinstance(rest, int) else format_duration(rest)),
]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what the solvers take
Label = Annotated[int | str, AfterValidator(_label)]


class SpecPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@cache
def _zones() -> set[str]:
    return available_timezones()


def time_zone(value: str) -> str:
    if value not in _zones():
        raise ValueError("use a name of the IANA time zone database, such as Europe/Berlin")
    return value

"""Figures, moments and spans as people read them on a page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any


def rounded(value: float | None, digits: int = 3) -> str:
    """Return a figure as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def counted(value: int | None) -> str:
    """Return a count as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:,}"


def how_many(number: int, what: str) -> str:
    """Return a number of things: `1 window`, `1,200 windows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def day(moment: datetime | None) -> str:
    """Return a moment's day, in UTC; a dash where there is none."""
    return "–" if moment is None else f"{moment:%Y-%m-%d}"


def minute(moment: datetime | None) -> str:
    """Return a moment to the minute, in UTC; its midnight is left out."""
    if moment is None:
        return "–"
    midnight = (moment.hour, moment.minute) == (0, 0)
    return f"{moment:%Y-%m-%d}" if midnight else f"{moment:%Y-%m-%d %H:%M}"


def ago(span: timedelta | None) -> str:
    """Return a span in its largest unit: `3 days`, `1 hour`; a dash where there is none.

    Examples
    --------
    >>> ago(timedelta(days=3, hours=4)), ago(timedelta(minutes=61)), ago(timedelta(0))
    ('3 days', '1 hour', 'less than a minute')
    """
    if span is None:
        return "–"
    for unit, length in _UNITS:
        if (number := span // length) >= 1:
            return how_many(number, unit)
    return "less than a minute"


_UNITS = (
    ("year", timedelta(days=365.25)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
)


# By the name that a template calls it.
def as_sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a stop; other letters stay.

    Examples
    --------
    >>> as_sentence("no labels since v2"), as_sentence("`adopt` it!")
    ('No labels since v2.', '`adopt` it!')
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1:] in '.!?' else '.'}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "figure": rounded,
    "count": counted,
    "day": day,
    "minute": minute,
    "ago": ago,
    "sentence": as_sentence,
}

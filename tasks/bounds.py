"""What a date, duration, count or text may be, wherever it enters: spec, form, REST, terminal.

The bounds are what `timedelta`, `datetime`, Airflow, MLflow and the ledger's columns can hold. All
arithmetic between what lies within them stays within the calendar; `shifted` is for what was
recorded before, or by other means. Pure, and light, as the rest of the spec is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tasks.errors import Final

EARLIEST, LATEST = datetime(1700, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
LONGEST = timedelta(days=36525)  # a hundred years
SHORTEST = timedelta(minutes=1)
# Two days within the calendar, so that each moment can be told in every time zone.
FIRST, LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)

NAME = 100  # characters: Airflow's tags, the ledger's model column
TEXT = 250  # characters: Airflow's ids, MLflow's keys, the ledger's columns
PATH = 2000
PROSE = 2000  # a reason or comment
INTEGER = 2**31 - 1  # what a database integer holds
WHOLE = 2**53  # up to here a float64 tells whole numbers apart
WINDOWS = 100_000  # of one range that is looked at as a whole
MODEL = rf"^[a-z][a-z0-9_]{{0,{NAME - 1}}}$"
DURATION = r"^[0-9]{1,9}[mhdw]$"  # as JSON schema has it; `duration` says more

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# What breaks lines, logs, terminals or databases: control characters, separators, lone surrogates.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
NOT_IN_PROSE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class OutOfBounds(Final, ValueError):
    """An input that cannot be used: says what is wrong with it, and what to write."""


def duration(text: object, option: str = "", least: timedelta = timedelta(0)) -> timedelta:
    """Return the duration that `7d`, `12h`, `30m` or `2w` means.

    Parameters
    ----------
    option
        What the error names, with the text; left out where the caller names both.

    Raises
    ------
    OutOfBounds
        If the text is not a whole number followed by one of m, h, d, w, or says too much.
    """
    span = text if isinstance(text, timedelta) else _span(text)
    if span is None:
        raise _refused(option, text, "write a whole number and a unit: 30m, 12h, 7d or 2w")
    if span > LONGEST:
        raise _refused(option, text, "longer than a hundred years; write 36525d at most")
    if span < least:
        raise _refused(option, text, "shorter than a minute; write 1m at least")
    return span


def _span(text: object) -> timedelta | None:
    match = re.fullmatch(r"([0-9]+)([mhdw])", text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except (OverflowError, ValueError):  # more than timedelta or int() takes
        return timedelta.max


def moment(value: object, option: str = "") -> datetime:
    """Return a moment in UTC; one without a zone is taken as UTC.

    Parameters
    ----------
    value
        A datetime, or ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00+01:00.
    option
        As `duration` takes it.

    Raises
    ------
    OutOfBounds
        If it is no moment, or none between the years 1700 and 2199.
    """
    found = value if isinstance(value, datetime) else _read(value)
    if found is None:
        said = "no date; write one such as 2026-01-31 or 2026-01-31T12:00:00Z"
        raise _refused(option, value, said)
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    # Its year is looked at before it is converted: year 1 has no UTC in some zones.
    if EARLIEST.year <= aware.year <= LATEST.year:
        aware = aware.astimezone(UTC)
        if EARLIEST <= aware < LATEST:
            return aware
    said = "outside 1700-01-01 … 2199-12-31; write a date in between"
    raise _refused(option, value, said)


def _read(value: object) -> datetime | None:
    # Not a number in quotes: some parsers take it for seconds since 1970.
    if isinstance(value, str) and len(value) < NAME and re.match(r"\d{4}-\d\d-\d\d", value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return None


def _refused(option: str, value: object, said: str) -> OutOfBounds:
    if not option:
        return OutOfBounds(said)
    return OutOfBounds(f"{option} {_shown(value)}: {said}")


def _shown(value: object) -> str:
    try:
        text = str(value)[:NAME]
    except ValueError:  # an integer of thousands of digits
        return "…"
    return repr(text) if UNPRINTABLE.search(text) else text


def version(number: object) -> int:
    """Return the number of a model version, as the ledger and MLflow count them."""
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= INTEGER:
        return number
    raise OutOfBounds(f"{_shown(number)} is no model version; write its number, such as 3")


def printable(text: str) -> str:
    """Return a text that holds neither control characters nor line breaks.

    Raises
    ------
    OutOfBounds
        If it does: names the first one.
    """
    if found := UNPRINTABLE.search(text):
        raise OutOfBounds(
            f"holds the character U+{ord(found[0]):04X}; write it without line breaks and "
            "control characters"
        )
    return text


def name(text: str, what: str) -> str:
    """Return the name of a person or proposal, as the ledger's columns hold it."""
    if not text.strip() or len(text) > TEXT:
        raise OutOfBounds(f"{what}: {len(text)} characters; write 1 to {TEXT}")
    try:
        return printable(text)
    except OutOfBounds as error:
        raise OutOfBounds(f"{what}: {error}") from None


def prose(text: str, what: str = "the reason") -> str:
    """Return a reason as the ledger holds it: of 1 to 2000 characters, none of them a control."""
    if not text.strip() or len(text) > PROSE:
        raise OutOfBounds(f"{what} has {len(text)} characters; write 1 to {PROSE}")
    if found := NOT_IN_PROSE.search(text):
        raise OutOfBounds(
            f"{what} holds the character U+{ord(found[0]):04X}; write it without control characters"
        )
    return text


def shifted(moment: datetime, span: timedelta) -> datetime:
    """Return `moment + span`, or the calendar's end on that side if it reaches beyond.

    Examples
    --------
    >>> shifted(datetime(9999, 12, 28, tzinfo=UTC), timedelta(days=14)).isoformat()
    '9999-12-29T00:00:00+00:00'
    """
    try:
        return min(max(moment + span, FIRST), LAST)
    except OverflowError:
        return LAST if span > timedelta(0) else FIRST

"""The number in each stored JSON that says how it is laid out, and what reads which number. Pure.

A release with a new layout takes the next number and adds a loader. It keeps the loaders that are
there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, cast

from tasks.errors import Final, GatelatchError

KEY = "format"
NEWER = "install that release, or restore a backup from before it"
CODE = "code"  # in an observation's figures: the version of Gatelatch that judged; 0.1 wrote none
UNNUMBERED = 1  # what release 0.1 wrote without a number
FIGURES_FORMAT = 1  # of an observation
METRICS_FORMAT = 1  # of a candidate
LINEAGE_FORMAT = 1

_Loaded = TypeVar("_Loaded")
Raw = Mapping[str, Any]
Loaders = Mapping[int, Callable[[Raw], _Loaded]]


class OtherFormat(Final, ValueError):
    """A stored value whose format this code does not read: names it and the way out."""


class Damaged(Final, ValueError):
    """A stored value that no release wrote: somebody altered it, or a disk did."""


class Unparsed(str):
    """A text that was stored where JSON belongs, as it stands: its digest shows it was altered."""


def stored_json(text: str) -> Any:
    """Return stored JSON; what is none is read as Unparsed, so that an audit can name its row."""
    try:
        return parsed_json(text)
    except ValueError:
        return Unparsed(text)


def parsed_json(text: str | bytes) -> Any:
    """Return what a text in JSON says; for every text that somebody else may have written.

    Raises
    ------
    ValueError
        If it is no JSON, or nests deeper than the stack, where Python raises a RecursionError.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it nests deeper than anything that is stored") from None


@contextmanager
def undamaged(what: str) -> Iterator[None]:
    """Name what is read in this block if it is laid out otherwise than any release does it."""
    try:
        yield
    except GatelatchError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Damaged(
            f"the stored {what} is laid out as no release does it ({type(error).__name__}): it was "
            "altered, or a disk broke; find out with `python -m tasks audit MODEL --verify`, then "
            "restore a backup"
        ) from None


def format_of(raw: Raw) -> Any:
    """Return the format of a stored value; that of release 0.1 if it carries none."""
    return raw.get(KEY, UNNUMBERED)


def load_stored(
    what: str, raw: Raw, loaders: Loaders[_Loaded], older: str = "", newer: str = NEWER
) -> _Loaded:
    """Return what the loader of its format makes of a stored value.

    Parameters
    ----------
    what
        How the value is called in messages: its row or file.
    older
        The way out for a format that is older than every loader.
    newer
        The way out for one that no release before this one wrote.

    Raises
    ------
    OtherFormat
        If no loader is of its format.
    Damaged
        If its loader can make nothing of it.
    """
    with undamaged(what):
        found = format_of(raw)
        if found in loaders:
            return loaders[found](raw)
    reads = " and ".join(map(str, sorted(loaders)))
    told = f"the stored {what} has the format {found}, and this code reads format {reads}"
    if isinstance(found, int) and found < min(loaders):
        raise OtherFormat(f"{told}; {older}")
    raise OtherFormat(f"{told}: a newer Gatelatch wrote it; {newer}")


def fill(kind: type[_Loaded], raw: Raw) -> _Loaded:
    """Return a dataclass from the values that it has a field for; a later release may keep more."""
    return kind(**{name: raw[name] for name in _names(cast(Any, kind)) if name in raw})


@cache  # a page of two years reads tens of thousands
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cast(Any, kind)))


def as_it_is(raw: Raw) -> Raw:
    """Return a stored value that is read as it is laid out."""
    return raw


# Columns of the ledger that hold JSON with a number, and what reads them; a reference has its own.
COLUMNS: Mapping[str, Loaders[Raw]] = {
    "figures": {FIGURES_FORMAT: as_it_is},
    "metrics": {METRICS_FORMAT: as_it_is},
}

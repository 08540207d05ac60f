"""What a thing that is fuzzed has to say, and what of it is a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks import bounds
from tasks.errors import GatelatchError

READ = "read"
LONGEST_ERROR = 10_000  # characters; what people are shown


class Fault(AssertionError):
    """What no input may bring about."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One reader.

    `read` takes what an attacker wrote. It returns in one word what became of the input, and raises
    a Fault, or whatever the reader did not foresee. `folder` is where it may write. `apart` says
    that a child reads each input first, as an input may end the process.
    """

    seeds: Sequence[bytes]
    read: Callable[[bytes], str]
    folder: Path
    longest: int = 4096
    apart: bool = False


def refused(error: GatelatchError) -> str:
    """Return the kind of an error that is ours; what it says has to be fit to be shown."""
    said = str(error)
    if len(said) > LONGEST_ERROR:
        raise Fault(f"an error of {len(said)} characters") from error
    if found := bounds.NOT_IN_PROSE.search(said.replace("\n", " ")):
        raise Fault(f"an error with the character {found[0]!r}: {said!r}") from error
    return type(error).__name__


def nothing_left_in(folder: Path) -> None:
    """Raise a Fault if something half-written is left below a folder."""
    if left := [str(path) for path in folder.rglob("*partial*")]:
        raise Fault(f"half-written and left: {', '.join(left[:10])}")

"""The containers of `ops.native`, and the programs that run in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from ops.native import __main__ as native


def names(home: Path, service: str) -> list[str]:
    """Return the names of a service's containers."""
    return [name for name in native.states(home) if name.rstrip("-0123456789") == service]


def programs(home: Path, container: str) -> Iterator[psutil.Process]:
    """Yield the program of a container: below bubblewrap, and below the container's first."""
    for outer in _keeper(home).children():
        with suppress(psutil.Error, IndexError, ValueError):
            words = outer.cmdline()
            if words[words.index("--hostname") + 1] == container:
                yield outer.children()[0].children()[0]


def _keeper(home: Path) -> psutil.Process:
    first = native._first(home)
    if first is None:
        raise RuntimeError(f"no services run in {home}")
    return first

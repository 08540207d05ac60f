"""Read ahead: the next batch is read and digested while the present one is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_END = object()


def ahead(items: Generator[_Item, None, None]) -> Iterator[_Item]:
    """Yield the items, the next one being made in a thread of its own meanwhile.

    All of the generator runs in that one thread, its end too, also if the reader stops early:
    database connections may not change threads. What it raises is raised here, in its place.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        try:
            coming = thread.submit(next, items, _END)
            while (item := coming.result()) is not _END:
                coming = thread.submit(next, items, _END)
                yield item  # type: ignore[misc]
        finally:
            thread.submit(items.close).result()

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tasks.data.ahead import ahead


def test_items_come_in_their_order() -> None:
    assert list(ahead(n for n in range(100))) == list(range(100))


def test_nothing_comes_of_nothing() -> None:
    assert list(ahead(n for n in ())) == []


def test_the_next_item_is_made_while_the_present_one_is_worked_on() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    stream = ahead(items())  # type: ignore[arg-type]
    assert next(stream) == 1
    assert made.wait(10)  # nobody has asked for the second
    assert list(stream) == [2]


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    stream = ahead(items())  # type: ignore[arg-type]
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_all_runs_in_one_thread_of_its_own_also_when_the_reader_stops_early() -> None:
    threads = set()

    def items() -> Iterator[int]:
        try:
            for number in range(10):
                threads.add(threading.get_ident())
                yield number
        finally:
            threads.add(threading.get_ident())

    stream = ahead(items())  # type: ignore[arg-type]
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(threads) == 1
    assert threads != {threading.get_ident()}

"""The pages that draw the rooms say what `python -m ops.rooms` prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ops import rooms


@pytest.mark.parametrize(
    ("place", "printed"), [(rooms.PICTURE, rooms.picture), (rooms.TABLE, rooms.table)]
)
def test_the_pages_hold_the_rooms_as_the_command_prints_them(
    place: tuple[Path, str], printed: Callable[[], str]
) -> None:
    page, start = place
    kept = page.read_text().partition(start)[2].partition(rooms.END)[0]
    assert kept == printed(), "run `python -m ops.rooms --write`"


def test_an_arrow_that_others_imply_is_left_out() -> None:
    direct = {"a": set[str](), "b": {"a"}, "c": {"a", "b"}}
    assert rooms.reduced(direct, ["a", "b", "c"]) == {"a": set(), "b": {"a"}, "c": {"b"}}


def test_an_arrow_that_goes_up_is_drawn() -> None:
    direct = {"a": {"b"}, "b": {"a"}}
    assert rooms.reduced(direct, ["a", "b"]) == {"a": {"b"}, "b": {"a"}}

"""A disk that is full at any write: said in a sentence, nothing left, and done when run again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.flow import beginning
from tests.support.killed import FLOW, Place

STEPS = ("watch", "prepare", *FLOW)
_NEVER = 1 << 20
# SQLite is made to refuse by another way than by a full disk.
_REASONS = ("no space is left", "it is read-only")
_TEMPORARY = re.compile(r"tmp/.*")


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Return a folder with what each step starts from, its writes, and what it ends in."""
    stages, here = tmp_path_factory.getbasetemp() / "stages", tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patch:
        beginning(stages, here, patch)("drifted")
        patch.chdir(here)
        place, found = Place(here / "drifted-0"), {}
        for step in STEPS:
            place.keep(step)
            found[step] = place.play(step, full=_NEVER, look=True)
        yield place, found


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_full_from_any_write_on_is_named_leaves_nothing_and_mends_when_run_again(
    ends: tuple[Place, dict[str, Any]], step: str
) -> None:
    place, (writes, whole) = ends[0], ends[1][step]
    wrong: dict[str, Any] = {}
    for number in _telling(writes):
        place.back_to(step)
        _, end = place.play(step, full=number)
        at = f"{step}, full at {writes[number]}"
        named, text = end.get("raised", ("nothing", ""))
        print(f"{at}: {named}: {text}")
        # A head that cannot be kept is logged: what was recorded stands without it.
        logged = named == "nothing" and "store/heads/" in writes[number]
        if not logged and (named != "Unusable" or not any(reason in text for reason in _REASONS)):
            wrong[at] = named, text
        if left := [*_left(place.folder)]:
            wrong[f"{at}, left"] = left
        _, again = place.play(step, look=True)
        if again != whole:
            wrong[f"{at}, run again"] = [*_differences(whole, again)]
    assert writes
    assert wrong == {}


def _differences(whole: dict[str, Any], again: dict[str, Any]) -> Iterator[str]:
    """Yield what differs, and in the store by its file."""
    for name in whole:
        if name != "store":
            if again[name] != whole[name]:
                yield name
            continue
        for path in sorted(whole[name].keys() | again[name].keys()):
            if whole[name].get(path) != again[name].get(path):
                yield path


def _telling(writes: list[str]) -> Iterator[int]:
    """Yield the places of the writes, of those of one kind the first alone."""
    seen = set()
    for number, name in enumerate(writes):
        kind = _TEMPORARY.sub("temporary", name)
        if kind not in seen:
            yield number
        seen.add(kind)


def _left(folder: Path) -> Iterator[str]:
    """Yield what is half-written, and what is temporary."""
    for path in folder.rglob("*"):
        if path.suffix == ".partial" or (folder / "tmp") in path.parents:
            yield str(path)

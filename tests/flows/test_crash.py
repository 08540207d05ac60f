"""`kill -9` at every write between gates and promotion: run again, it ends in the same place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.support.flow import beginning
from tests.support.killed import FLOW, Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a folder with what each step starts from, and what all of them end in."""
    stages, here = tmp_path_factory.getbasetemp() / "stages", tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        beginning(stages, here, patch)("drifted")
        patch.chdir(here)  # what is kept is put back, and the folder itself with it
        place = Place(here / "drifted-0")
        place.play("prepare")
        for step in FLOW:
            place.keep(step)
            place.play(step)
        yield place


@pytest.fixture(scope="module")
def whole(place: Place) -> dict[str, Any]:
    """Return the end of a run that nobody killed."""
    place.back_to("gate")
    _, end = place.play(*FLOW, look=True)
    assert end is not None
    return end


@pytest.mark.parametrize("step", FLOW)
def test_killed_at_any_write_and_run_again_it_ends_where_it_would_have(
    place: Place, whole: dict[str, Any], step: str
) -> None:
    wrong: dict[str, Any] = {}
    for number in count():
        place.back_to(step)
        writes, survived = place.play(step, kill=number)
        at = "its end" if survived is not None else writes[-1]
        print(f"{step} killed at {at}")
        wrong |= {f"{step} killed at {at}": d for d in differences(place, whole)}
        if survived is not None:
            break
    assert number == len(writes) > 0
    assert wrong == {}


def differences(place: Place, whole: dict[str, Any]) -> list[dict[str, Any]]:
    """Run all steps again; return what is then elsewhere than in a run that nobody killed."""
    try:
        _, end = place.play(*FLOW, look=True)
    except AssertionError as error:
        return [{"run again": str(error)}]
    assert end is not None
    found = {part: end[part] for part in whole if end[part] != whole[part]}
    return [found] if found else []


def test_a_rollback_finishes_a_promotion_of_which_mlflow_did_not_hear(place: Place) -> None:
    place.back_to("promote")
    writes, _ = place.play("promote", kill=1)
    assert writes == ["ledger.db: promotions, chain, seals", "store/heads/.partial"]
    _, end = place.play("rollback", look=True)
    assert end is not None
    assert end["fault"] is None
    assert end["aliases"] == {"champion": 1, "previous": 2}
    moves = [row for (table, _), row in end["rows"].items() if table == "promotions"]
    assert [(m["expected"], m["version"]) for m in moves] == [(None, 1), (1, 2), (2, 1)]

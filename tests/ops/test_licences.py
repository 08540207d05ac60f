"""The licences of all that is locked are listed, and each package once."""

from __future__ import annotations

import pytest

from ops.licences import ELSEWHERE, LOCK, UNSAID, by_licence, licence_of, locked

STRONG = ("AGPL", "GPL-2", "GPL-3", "SSPL", "BUSL", "Affero")  # what would bind who ships Gatelatch


def test_each_locked_package_is_listed_once_under_its_licence() -> None:
    found = by_licence(LOCK.read_text())
    names = [name for group in found.values() for name in group]
    assert sorted(names) == locked(LOCK.read_text())
    assert len(names) > 200
    assert found["MIT"][0] < found["MIT"][-1]


def test_no_package_has_a_licence_that_would_bind_who_ships_this() -> None:
    found = by_licence(LOCK.read_text())
    strong = {
        licence: names
        for licence, names in found.items()
        if any(word in licence for word in STRONG) and not licence.startswith("LGPL")
    }
    assert strong == {}
    assert len(found.get(UNSAID, [])) < 5


@pytest.mark.parametrize(("name", "licence"), [("pytest", "MIT"), ("no-such-package", ELSEWHERE)])
def test_a_licence_is_what_the_package_says(name: str, licence: str) -> None:
    assert licence_of(name) == licence

"""The licences of all that is locked are listed, and each package once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.licences import ELSEWHERE, LOCKS, UNSAID, by_licence, licence_of, locked, main
from tests.test_locks import asked

STRONG = ("AGPL", "GPL-2", "GPL-3", "SSPL", "BUSL", "Affero")  # what would bind who ships Gatelatch


def test_each_package_of_each_lock_is_listed_once_under_its_licence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main()
    said = capsys.readouterr().out
    listed = [
        name
        for line in re.findall(r"^ {6}(\S.*)$", said, re.MULTILINE)
        for name in line.split(", ")
    ]
    assert len(listed) == len(set(listed)) > 200
    assert set(listed) == {name for lock in LOCKS for name in locked(lock.read_text())}
    dev = said.partition("requirements-dev.txt: development alone")[2]
    assert "pytest" in dev
    assert "apache-airflow," not in dev


def test_every_lock_is_looked_through_and_audited() -> None:
    root = next(iter(LOCKS)).parent
    assert set(LOCKS) == set(root.glob("requirements*.txt"))
    (line,) = re.findall(r"^LOCKS := (.+)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert line.split() == [lock.name for lock in LOCKS]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_package_has_a_licence_that_would_bind_who_ships_this(lock: Path) -> None:
    found = by_licence(lock.read_text())
    strong = {
        licence: names
        for licence, names in found.items()
        if any(word in licence for word in STRONG) and not licence.startswith("LGPL")
    }
    assert strong == {}
    assert set(found.get(UNSAID, [])) <= {"huey", "namex", "sigstore-models"}
    here = {one.name for one in asked(lock) if one.marker is None or one.marker.evaluate()}
    unseen = here & set(found.get(ELSEWHERE, []))
    assert unseen == set(), "their licences were not looked at: `make test` installs what is locked"


@pytest.mark.parametrize(("name", "licence"), [("pytest", "MIT"), ("no-such-package", ELSEWHERE)])
def test_a_licence_is_what_the_package_says(name: str, licence: str) -> None:
    assert licence_of(name) == licence

"""The locks hold what each supported Python needs, by the metadata of what is installed here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SUPPORTED = SpecifierSet(PROJECT["project"]["requires-python"])
PYTHONS = [f"3.{minor}" for minor in range(30) if f"3.{minor}.1" in SUPPORTED]
LOCKS = ["requirements", "requirements-dev", "requirements-score", "requirements-delta"]


def environment(python: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.1"}


@cache
def asked(file: Path) -> tuple[Requirement, ...]:
    """Return what a file asks for, and what the files that it names ask for."""
    return tuple(_asked(file))


def _asked(file: Path) -> Iterator[Requirement]:
    for line in file.read_text().splitlines():
        text = re.sub(r"\s+#.*$|^#.*$|\s*\\$", "", line).strip()
        if text.startswith("-r "):
            yield from asked(file.parent / text.removeprefix("-r "))
        elif text and not text.startswith("-"):
            yield Requirement(text)


def locked(lock: str, python: str) -> dict[str, str]:
    """Return the version of each package that a lock installs on that Python."""
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in asked(ROOT / f"{lock}.txt")
        if one.marker is None or one.marker.evaluate(environment(python))
    }


@cache
def needs(name: str) -> tuple[tuple[Requirement, ...], str]:
    """Return what an installed package requires, and of which Pythons; nothing if it is not here.

    Not here is what another Python alone needs, such as `pyyaml-ft`.
    """
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return (), ""
    wanted = tuple(Requirement(text) for text in found.requires or ())
    return wanted, found.metadata.get("Requires-Python") or ""


def missing(lock: str, python: str) -> list[str]:
    """Return what the packages of a lock require on that Python and the lock does not hold."""
    versions, told = locked(lock, python), []
    todo, seen = list(asked(ROOT / f"{lock}.in")), set()
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        if name not in versions or versions[name] not in one.specifier:
            told.append(f"{one} (locked: {versions.get(name)})")
        for extra in {"", *one.extras} - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            here = {**environment(python), "extra": extra}
            todo += [r for r in needs(name)[0] if r.marker is None or r.marker.evaluate(here)]
    return told


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_each_supported_python_needs(lock: str, python: str) -> None:
    assert missing(lock, python) == []


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
def test_no_locked_package_refuses_a_supported_python(lock: str, python: str) -> None:
    refused = {name: needs(name)[1] for name in locked(lock, python)}
    assert {n: r for n, r in refused.items() if f"{python}.1" not in SpecifierSet(r)} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_each_locked_package_has_hashes(lock: str) -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / f"{lock}.txt").read_text())
    assert [b.splitlines()[0] for b in blocks if "==" in b and "--hash=sha256:" not in b] == []


def test_the_readme_and_the_linter_name_the_supported_pythons() -> None:
    oldest, newest = PYTHONS[0], PYTHONS[-1]
    assert f"Python {oldest} to {newest}" in (ROOT / "README.md").read_text()
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"

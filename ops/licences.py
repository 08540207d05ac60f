"""The licences of what each lock pins: `python -m ops.licences`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
LOCKS = {  # with what each is for; a package is listed under the first that has it
    _ROOT / "requirements.txt": "what running needs",
    _ROOT / "requirements-score.txt": "programs that score",
    _ROOT / "requirements-delta.txt": "Delta Lake",
    _ROOT / "requirements-dev.txt": "development alone: nobody who runs this needs it",
}
ELSEWHERE = "not installed here: another system or Python"
UNSAID = "not said"
# As old metadata call them; what is not here stands as the package says it.
_SPDX = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Python Software Foundation License": "PSF-2.0",
}


def locked(lock: str) -> list[str]:
    """Return the names of the packages that a lock pins."""
    return sorted(set(re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)))


def licence_of(name: str) -> str:
    """Return the licence that an installed package says it has."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ELSEWHERE
    classified = [c for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    classified.sort(key=lambda c: -c.count(" :: "))  # "OSI Approved" alone names no licence
    told = (said.get_all("License-Expression") or [""])[0]
    told = told or (classified[0].rpartition(" :: ")[2] if classified else "")
    told = told or (said.get_all("License") or [""])[0]
    first = (told.splitlines() or [""])[0].strip()[:60]
    return _SPDX.get(first, first) or UNSAID


def by_licence(lock: str, licence: Callable[[str], str] = licence_of) -> Mapping[str, list[str]]:
    """Return the locked packages by licence, the most used one first."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in locked(lock):
        found[licence(name)].append(name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def main() -> None:
    """Print each licence with its packages, lock by lock."""
    listed: set[str] = set()
    for lock, purpose in LOCKS.items():
        text = lock.read_text()
        print(f"{lock.name}: {purpose}, {len(locked(text))} packages")
        for licence, names in by_licence(text).items():
            if more := [name for name in names if name not in listed]:
                print(f"{len(more):4}  {licence}\n      {', '.join(more)}")
        listed |= set(locked(text))


if __name__ == "__main__":
    main()

"""The versions of code and packages that this process runs with."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks import __version__

_PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")


@dataclass(frozen=True, kw_only=True)
class MadeWith:
    """Versions of this code, of Python and of packages; no `commit` outside a git checkout."""

    code: str
    commit: str | None
    python: str
    packages: Mapping[str, str]

    @property
    def versions(self) -> dict[str, str]:
        """Return the versions of Python and of each package."""
        return {"python": self.python, **self.packages}

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "commit": self.commit,
            "python": self.python,
            "packages": dict(self.packages),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> MadeWith:
        return cls(**{field.name: kept[field.name] for field in fields(cls)})


@cache
def made_with() -> MadeWith:
    """Return the versions that this process runs with."""
    return MadeWith(
        code=__version__,
        commit=_commit(),
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
    )


def _commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None

"""The versions of code and packages that this process runs with."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks import __version__

_PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")


@cache
def made_with() -> dict[str, Any]:
    """Return `code`, `commit` (None if this is no git checkout), `python` and `packages`."""

    return {
        "code": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


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

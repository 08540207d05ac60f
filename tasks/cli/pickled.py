"""A pickle → a skops file, in a process that ends with it and knows no secret of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tasks import scratch
from tasks.errors import Final
from tasks.formats import parsed_json

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "OMP_NUM_THREADS", "PYTHONPATH")
_SECONDS = 300


class NotConverted(Final):
    """A pickle that was not loaded, or not to its end: says why, and the way out."""


def converted(path: Path, trusted: Sequence[str]) -> tuple[bytes, list[str]]:
    """Return what a pickle or joblib file holds as a skops file, and what was warned of.

    Parameters
    ----------
    trusted
        Full names of the types and functions that may be built; see `unpickle`.

    Raises
    ------
    NotConverted
        If it needs anything else, and names that; if it cannot be loaded.
    """
    with scratch.folder() as folder:
        target = Path(folder, "converted.skops")
        command = [sys.executable, "-m", "tasks.classifier.unpickle"]
        try:
            ran = subprocess.run(
                [*command, str(path.absolute()), str(target), *trusted],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                cwd=Path(__file__).parents[2],
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
            said = parsed_json(ran.stdout.splitlines()[-1]) if ran.returncode == 0 else None
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            said = None
        if said is None:
            raise NotConverted(
                f"{path} cannot be read as a pickle or joblib file; save the fitted pipeline anew "
                "with skops.io.dump, or with joblib.dump and the scikit-learn of this project"
            )
        if strange := said["strange"]:
            options = " ".join(f"--trust {name}" for name in [*trusted, *strange])
            raise NotConverted(
                f"{path} is a pickle, and loading one can run any code. It needs what you do not "
                f"name: {', '.join(strange)}. If you made the file and know all of these, add "
                f"{options}"
            )
        return target.read_bytes(), said["warnings"]

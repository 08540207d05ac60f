"""The memory that something takes, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_MEASURE = """
import json, resource, sys
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
{code}
"""


def measured(code: str, folder: Path, **environment: str) -> Any:
    """Run code in a folder; return what it prints at its end as JSON.

    It may call `peak()`: the most memory that its process ever took, in MB.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(code=code)],
        cwd=folder,
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])

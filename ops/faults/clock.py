"""A clock that jumps, for all services at once."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

HOUR = 3600
JUMPS = {"clock-forward": HOUR, "clock-back": -HOUR}
_SOURCE, _INSIDE = Path(__file__).with_name("clock.c"), "/opt/clock"
_FORM = struct.Struct("=q")


def missing() -> str:
    """Return why no clock can be set here; empty if it can."""
    return "" if shutil.which("cc") else "no compiler `cc` on this machine (Debian: gcc)"


def prepare(services: dict[str, Any], home: Path) -> None:
    """Have each service of a compose file take its time from a file that `jump` writes."""
    folder = home / "clock"
    folder.mkdir()
    built = ["cc", "-shared", "-fPIC", "-O2", "-o", str(folder / "clock.so"), str(_SOURCE)]
    subprocess.run(built, check=True)
    (folder / "wrong_by").write_bytes(_FORM.pack(0))
    for service in services.values():
        service.setdefault("volumes", []).append(f"{folder}:{_INSIDE}:ro")
        service["environment"] = {
            **service.get("environment", {}),
            "LD_PRELOAD": f"{_INSIDE}/clock.so",
            "FAULTS_CLOCK": f"{_INSIDE}/wrong_by",
        }


def jump(run: Path, by: int) -> list[str]:
    """Set the clock of all services at this moment; `run` is the folder of `ops.native`."""
    with (run.parent / "clock" / "wrong_by").open("r+b") as file:
        seconds = _FORM.unpack(file.read())[0] + by
        file.seek(0)
        file.write(_FORM.pack(seconds))
    return [f"the clock jumps by {by} s, and is {seconds} s wrong"]

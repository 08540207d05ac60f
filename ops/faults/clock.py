"""A clock that jumps, for all services at once."""

from __future__ import annotations

import shutil
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

HOUR, DAY = 3600, 86_400
_LASTS = 45.0  # seconds until a clock that went back is set right
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


def forward(run: Path) -> list[str]:
    """Set the clock of all services a day ahead, for good; `run` is the folder of `ops.native`."""
    return [f"the clock jumps by a day, and is {jump(run, DAY)} s wrong"]


def back(run: Path) -> list[str]:
    """Set it back by an hour, and right again after a while.

    For good, Airflow would look an hour long at no run that was made before.
    """
    wrong = jump(run, -HOUR)
    later = threading.Timer(_LASTS, jump, (run, HOUR))
    later.daemon = True
    later.start()
    return [f"the clock goes back by an hour for {_LASTS:.0f} s, and is {wrong} s wrong"]


def jump(run: Path, by: int) -> int:
    """Set the clock of all services at this moment; return by how much it is wrong."""
    with (run.parent / "clock" / "wrong_by").open("r+b") as file:
        seconds = int(_FORM.unpack(file.read())[0]) + by
        file.seek(0)
        file.write(_FORM.pack(seconds))
    return seconds


# What can be done to a clock, by name.
JUMPS = {"clock-forward": forward, "clock-back": back}

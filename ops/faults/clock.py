"""A clock that jumps, for all services at once: by libfaketime, a package of Debian."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

HOUR = 3600
JUMPS = {"clock forward": HOUR, "clock back": -HOUR}
_INSIDE = "/opt/faketime"


def library() -> Path | None:
    """Return libfaketime, if it is installed, or unpacked where programs are found."""
    programs = (Path(folder) for folder in os.environ["PATH"].split(os.pathsep) if folder)
    for place in (Path("/usr"), *(folder.parent for folder in programs)):
        for found in place.glob("lib/*/faketime/libfaketimeMT.so.1"):
            return found
    return None


def prepare(services: dict[str, Any], library: Path, home: Path) -> None:
    """Have each service of a compose file take its time from a file that `jump` writes."""
    (home / "clock").mkdir()
    (home / "clock" / library.name).write_bytes(library.read_bytes())
    _write(home, 0)
    for service in services.values():
        service.setdefault("volumes", []).append(f"{home / 'clock'}:{_INSIDE}:ro")
        service["environment"] = {
            **service.get("environment", {}),
            "LD_PRELOAD": f"{_INSIDE}/{library.name}",
            "FAKETIME_TIMESTAMP_FILE": f"{_INSIDE}/offset",
            "FAKETIME_CACHE_DURATION": "1",
            # What measures how long something takes goes on, as it does where NTP sets a clock.
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def jump(run: Path, by: int) -> list[str]:
    """Set the clock of all services; `run` is the folder of `ops.native`."""
    home = run.parent
    seconds = int((home / "clock" / "offset").read_text()) + by
    _write(home, seconds)
    return [f"the clock jumps by {by} s, and is {seconds} s wrong"]


def _write(home: Path, seconds: int) -> None:
    partial = home / "clock" / "offset.partial"
    partial.write_text(f"{seconds:+d}\n")
    partial.replace(home / "clock" / "offset")

"""Volumes on small disks of memory, which can be full."""

from __future__ import annotations

import os
import shlex
import threading
from contextlib import suppress
from pathlib import Path

from ops.faults import containers

# Volume → megabytes, and the service and path under which it is seen.
SMALL = {
    "logs": (200, "scheduler", "opt/airflow/logs"),
    "postgres": (1200, "postgres", "var/lib/postgresql/data"),
    "redis": (100, "redis", "data"),
    "store": (200, "worker", "var/lib/gatelatch/store"),
    "artifacts": (200, "mlflow", "var/lib/gatelatch/mlflow/artifacts"),
}
_LASTS = 45.0  # seconds until somebody makes room
_BALLAST = "ballast"


def mounting(run: Path, command: list[str]) -> list[str]:
    """Return what runs a command where these volumes are small disks of their own."""
    lines = ["set -e"]
    for name, (size, _, _) in SMALL.items():
        folder = run / "volumes" / name
        folder.mkdir(parents=True)
        lines.append(f"mount -t tmpfs -o size={size}m,mode=700 none {shlex.quote(str(folder))}")
    script = "\n".join([*lines, f"exec {shlex.join(command)}"])
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]


def fill(run: Path, volume: str) -> list[str]:
    """Fill a volume to its last byte, and make room again after a while."""
    _, service, inside = SMALL[volume]
    program = next(containers.programs(run, containers.names(run, service)[0]))
    # The folder itself is kept open: its service may die meanwhile.
    folder = os.open(f"/proc/{program.pid}/root/{inside}", os.O_RDONLY | os.O_DIRECTORY)
    fill_folder(folder)

    def make_room() -> None:
        os.unlink(_BALLAST, dir_fd=folder)
        os.close(folder)

    later = threading.Timer(_LASTS, make_room)
    later.daemon = True
    later.start()
    return [f"no space for {volume}, for {_LASTS:.0f} s"]


def fill_folder(folder: int) -> None:
    """Write into an open folder until its disk has no byte left."""
    ballast = os.open(_BALLAST, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
    for size in (1 << 20, 1 << 12, 1):
        with suppress(OSError):
            while True:
                os.write(ballast, bytes(size))
    os.close(ballast)

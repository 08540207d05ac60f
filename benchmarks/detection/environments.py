"""An environment per peer, .run/peers/<name>, from peers/<name>.txt.

`python -m benchmarks.detection.environments` builds those that are missing or whose requirements or
Python changed. The pins were tried on Python 3.11.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

REQUIREMENTS = Path(__file__).with_name("peers")
HOME = Path(__file__).resolve().parents[2] / ".run" / "peers"
NAMES = tuple(sorted(file.stem for file in REQUIREMENTS.glob("*.txt")))


@dataclass(frozen=True)
class Environment:
    """A peer's python, or why there is none: `problem` is empty when it is installed."""

    name: str
    python: Path
    problem: str = ""


def prepare(names: Iterable[str] = NAMES, out: Console | None = None) -> dict[str, Environment]:
    """Build what is missing or outdated; a peer that can't be installed has a `problem`."""
    out = out or Console(highlight=False, stderr=True)
    return {name: _prepare(name, out) for name in names}


def _prepare(name: str, out: Console) -> Environment:
    folder, requirements = HOME / name, REQUIREMENTS / f"{name}.txt"
    environment = Environment(name, folder / "bin" / "python")
    stamp = folder / "requirements.sha256"
    digest = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return environment
    out.print(f"Setting up {name} …")
    begun = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    for command in _commands(folder, requirements):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            said = (done.stderr or done.stdout).split()
            reason = " ".join(said[-50:]) or f"{command[0]} exited with {done.returncode}"
            out.print(f"  {name} is not installed: {reason}", markup=False)
            return Environment(name, environment.python, f"not installed: {reason}")
    stamp.write_text(digest)  # last, so that a half-built environment is built again
    out.print(f"  {name}: {time.perf_counter() - begun:.0f} s")
    return environment


def _commands(folder: Path, requirements: Path) -> list[list[str]]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    python = str(folder / "bin" / "python")
    if uv:
        create = [uv, "venv", "--quiet", "--python", sys.executable, str(folder)]
        install = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        create = [sys.executable, "-m", "venv", str(folder)]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [create, [*install, "--requirement", str(requirements)]]


if __name__ == "__main__":
    sys.exit(any(environment.problem for environment in prepare().values()))

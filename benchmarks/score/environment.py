"""What `requirements-score.txt` costs beside `requirements.txt`: megabytes, and seconds to begin.

Both are installed by their locks into environments of their own, with bytecode. Seconds are those
of a process from its start to the end of the step, five times, and the least is told.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TURNS = 5
STEPS = {
    "start Python": "pass",
    "import fetch": "from tasks.scoring.fetch import fetch",
    "load a version": "from tasks.scoring.fetch import load_fetched; load_fetched({folder!r})",
    "fetch it again": "from tasks.scoring.fetch import fetch; fetch({model!r}, to={folder!r})",
}


def table(folder: Path, model: str, environment: dict[str, str]) -> Iterator[str]:
    """Yield the rows of the table; `folder` is where a champion was fetched."""
    yield "| lock | packages | MB | " + " | ".join(f"{step}, s" for step in STEPS) + " |"
    yield "| --- " + "| ---: " * (len(STEPS) + 2) + "|"
    for lock in ("requirements-score", "requirements"):
        home = ROOT / ".run" / "bench" / lock
        python = _installed(lock, home)
        site = next(home.glob("lib/python3*/site-packages"))
        packages = len(list(site.glob("*.dist-info")))
        codes = [code.format(folder=str(folder), model=model) for code in STEPS.values()]
        seconds = [_least(python, code, environment) for code in codes]
        told = " | ".join(f"{one:.2f}" for one in seconds)
        yield f"| `{lock}.txt` | {packages} | {_megabytes(site):,.0f} | {told} |"


def _installed(lock: str, home: Path) -> Path:
    """Return the interpreter of an environment with a lock's packages."""
    uv, python = [str(Path(sys.executable).with_name("uv"))], home / "bin" / "python"
    subprocess.run([*uv, "venv", "-q", "--clear", "-p", sys.executable, str(home)], check=True)
    how = ("--quiet", "--require-hashes", "--compile-bytecode", "--python", str(python))
    subprocess.run([*uv, "pip", "install", *how, "-r", f"{ROOT / lock}.txt"], check=True)
    return python


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _least(python: Path, code: str, environment: dict[str, str]) -> float:
    return min(_seconds([str(python), "-c", code], environment) for _ in range(TURNS))


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)
    return time.perf_counter() - began

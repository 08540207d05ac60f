"""MLflow's server as a process of the stack: its folder, its environment, its command.

It is there for people: the tasks write to the same database and folder themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

_SHARED = ("LANG", "PATH", "PYTHONPATH", "TZ", "AIRFLOW_HOME")  # the last says whose process it is


def folder(home: Path) -> Path:
    """Return what belongs to MLflow, and is all that its server may write to."""
    return home / "mlflow"


def artifacts(home: Path) -> Path:
    """Return the root of all artifacts."""
    return folder(home) / "artifacts"


def database(home: Path) -> str:
    """Return the address of MLflow's database."""
    return f"sqlite:///{folder(home) / 'mlflow.db'}"


def settle(home: Path) -> None:
    """Make the folder, and move in what an older home has beside it.

    A link stays there, for runs that know the old place of their artifacts.
    """
    folder(home).mkdir(mode=0o700, exist_ok=True)
    if (home / "mlflow.db").exists():
        (home / "mlflow.db").rename(folder(home) / "mlflow.db")
    old = home / "artifacts"
    if old.exists() and not old.is_symlink():
        old.rename(artifacts(home))
        old.symlink_to(artifacts(home).relative_to(home))


def environment(home: Path, everything: Mapping[str, str], password: str) -> dict[str, str]:
    """Return its environment: no secret of the stack's but its own."""
    return {
        **{name: everything[name] for name in _SHARED if name in everything},
        "MLFLOW_BACKEND_STORE_URI": database(home),
        "GATELATCH_MLFLOW_PASSWORD": password,
    }


def command(home: Path, port: int) -> list[str]:
    """Return its command."""
    options = ["--folder", str(folder(home)), "--port", str(port)]
    return [sys.executable, "-m", "ops.tracking_server", *options]

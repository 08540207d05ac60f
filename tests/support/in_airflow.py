"""An Airflow of a test's own: code in a fresh interpreter, as Airflow reads settings on import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops import stack

RUN = """
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
dag = DagBag({dags!r}).dags[{dag!r}]
print("STATE", dag.test(run_conf={conf!r}).state)
"""


def environment(home: Path, models: Path) -> dict[str, str]:
    """Return the environment of that Airflow: its stores are those of the folder `home`."""
    (home / "airflow").mkdir(exist_ok=True)
    return stack.environment(home, stack.settings_of(home, models)) | {
        "GATELATCH_STORE": "store",
        "GATELATCH_LEDGER": "sqlite:///ledger.db",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
        "GATELATCH_SIGNING_KEY": os.environ["GATELATCH_SIGNING_KEY"],  # who signed the stages
    }


def command(code: str, **values: Any) -> list[str]:
    """Return what runs the code, with the values that it names in braces."""
    return [sys.executable, "-c", code.format(dags=str(stack.ROOT / "dags"), **values)]


def python(home: Path, models: Path, code: str, **values: Any) -> str:
    """Return what the code prints."""
    done = subprocess.run(
        command(code, **values),
        env=environment(home, models),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout

"""An Airflow of a test's own: code in a fresh interpreter, as Airflow reads settings on import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops import stack_settings

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
    return stack_settings.environment(home, stack_settings.settings_of(home, models)) | {
        "GATELATCH_STORE": "store",
        "GATELATCH_LEDGER": "sqlite:///ledger.db",
        "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db",
        "GATELATCH_SIGNING_KEY": os.environ["GATELATCH_SIGNING_KEY"],  # who signed the stages
    }


def command(code: str, **values: Any) -> list[str]:
    """Return what runs the code, with the values that it names in braces."""
    return [sys.executable, "-c", code.format(dags=str(stack_settings.ROOT / "dags"), **values)]


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


TAKEN = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime
bag = DagBag({dags!r}, bundle_path=None)
for dag in bag.dags.values():
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    again.timetable.infer_manual_data_interval(run_after=datetime(2026, 11, 26))
    if dag.dag_id.startswith("monitor"):
        again.next_dagrun_info(last_automated_run_info=None)
print(json.dumps([sorted(bag.dags), bag.import_errors]))
"""


def dags_of(home: Path, models: Path) -> tuple[list[str], dict[str, str]]:
    """Return the DAGs that a real Airflow makes, serialises and reads again, and import errors."""
    told = json.loads(python(home, models, TAKEN).splitlines()[-1])
    return told[0], told[1]


FLOWS = ("monitor", "retrain", "rollback")


def three_dags(model: str) -> set[str]:
    """Return the DAGs of a model."""
    return {f"{flow}.{model}" for flow in FLOWS}

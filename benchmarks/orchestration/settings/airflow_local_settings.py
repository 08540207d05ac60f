"""The stack's own settings of Airflow, and after them what watches the processes of tasks."""

import os
import runpy
import sys
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[3] / "ops" / "airflow" / "airflow_local_settings.py"))

if os.environ.get("ORCHESTRATION_SPENT") and (
    sys.argv[1:2] == ["scheduler"] or sys.argv[1:3] == ["celery", "worker"]
):
    from benchmarks.orchestration import watched

    watched.install()

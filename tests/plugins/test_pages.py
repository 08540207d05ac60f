"""What a task process pays for the plugins: next to nothing, as it serves no page."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import in_airflow

IMPORTED = """
import json, sys
import airflow.sdk.execution_time.task_runner
before = set(sys.modules)
from airflow.sdk.plugins_manager import integrate_macros_plugins
integrate_macros_plugins()  # as the task runner does before every task
print("IMPORTED", json.dumps(sorted(set(sys.modules) - before)))
"""
# Of what is heavy: web frameworks, Airflow's API and tables, arrays, templates, and what is served.
HEAVY = {"fastapi", "starlette", "flask", "werkzeug", "cadwyn", "numpy", "mlflow", "jinja2"}
SERVED = ("served", "tasks.views", "tasks.ledger", "tasks.store", "airflow.models")


def test_a_task_process_imports_nothing_of_what_serves_pages(tmp_path: Path) -> None:
    printed = in_airflow.python(tmp_path, tmp_path, IMPORTED)
    (line,) = [line for line in printed.splitlines() if line.startswith("IMPORTED ")]
    imported = json.loads(line.removeprefix("IMPORTED "))
    assert {"pages", "answers", "links", "window_timetable"} <= set(imported)
    assert not HEAVY & {name.partition(".")[0] for name in imported}
    assert not [name for name in imported if name.startswith(SERVED)]
    assert "airflow.api_fastapi.core_api.security" not in imported


NAV = """
from airflow import plugins_manager
(view,) = [v for p in plugins_manager._get_plugins()[0] for v in p.external_views]
print("HREF", view["href"], view["destination"])
"""


def test_the_entry_in_the_navigation_leads_below_the_path_of_airflow(tmp_path: Path) -> None:
    code = f"import os; os.environ['AIRFLOW__API__BASE_URL'] = 'https://x.example/airflow/'\n{NAV}"
    assert "HREF /airflow/gatelatch/margins nav" in in_airflow.python(tmp_path, tmp_path, code)

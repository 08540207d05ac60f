"""Airflow from outside, as this package never imports it: its health, and where its DAGs are."""

from __future__ import annotations

import ast
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.doctor.finding import Finding
from tasks.formats import parsed_json

_SECONDS = 5
_BASE, _DAGS = "AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__DAGS_FOLDER"
_TASKS = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
_PARTS = {
    "metadatabase": "start Airflow's database",
    "scheduler": "start `airflow scheduler`",
    "dag_processor": "start `airflow dag-processor`",
    "triggerer": "start `airflow triggerer`",
}
_FILES = ("monitor.py", "retrain.py", "rollback.py")


def look_at_airflow(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which parts of Airflow its API server says are away."""
    # Where tasks reach it; a browser's address may lead elsewhere from here.
    used = _TASKS if environment.get(_TASKS) else _BASE
    base = (environment.get(used) or "").rstrip("/").removesuffix("/execution")
    if not base.startswith(("http://", "https://")):
        yield Finding(
            state="unseen",
            finding=f"{_BASE} is not set, so nobody is asked how Airflow is",
            remedy="set it, or look at /api/v2/monitor/health of Airflow",
        )
        return
    try:
        asked = f"{base}/api/v2/monitor/health"
        with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:
            health = parsed_json(answer.read(100_000))
    except (OSError, ValueError) as error:
        yield Finding(
            state="ill",
            finding=f"Airflow's API server does not answer at {base} ({type(error).__name__})",
            remedy=f"start `airflow api-server`, or mend {used}",
        )
        return
    yield from airflow_findings(health)


def airflow_findings(health: Any) -> Iterator[Finding]:
    """Yield which parts are away, by what the API server says. Pure."""
    for part, remedy in _PARTS.items():
        told = health.get(part) if isinstance(health, Mapping) else None
        status = told.get("status") if isinstance(told, Mapping) else None
        if status is None and part == "triggerer":
            continue  # nothing of this project waits in one
        if status != "healthy":
            yield Finding(
                state="ill",
                finding=f"Airflow's {part} is {'not running' if status is None else status}",
                remedy=f"{remedy}, and look at its log",
            )


def look_at_dag_files(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what can be seen of DAG files without Airflow, and that their import is not."""
    named = environment.get(_DAGS)
    if named:
        folder = Path(named)
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            yield Finding(
                state="ill",
                finding=f"{_DAGS} is {folder}, which lacks {', '.join(missing)}",
                remedy="let it name the folder dags/ of this project",
            )
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if name.endswith(".py") and (said := _mistake(folder / name)):
                yield Finding(
                    state="ill",
                    finding=f"{folder / name} is no Python: {said}",
                    remedy="put the file of the release back",
                )
    yield Finding(
        state="unseen",
        finding="whether the DAG files can be imported is seen by Airflow alone",
        remedy="run `airflow dags list-import-errors`",
    )


def _mistake(file: Path) -> str | None:
    try:
        ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f"{type(error).__name__}{f' in line {line}' if line else ''}"
    return None

"""What makes tasks cheap, in a real Airflow of their own: no templates, no word about a skip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.flow import MODEL
from tests.support.in_airflow import python

LISTED = """
import json
from airflow.dag_processing.dagbag import DagBag
dag = DagBag({dags!r}, bundle_path=None).dags["monitor.churn"]
print(json.dumps({{t.task_id: list(t.template_fields) for t in dag.tasks}}))
"""
RUN = """
import json
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
from airflow.models.renderedtifields import RenderedTaskInstanceFields as Rendered
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select
run = DagBag({dags!r}).dags["monitor.churn"].test(run_conf={conf!r})
states = {{ti.task_id: str(ti.state) for ti in run.get_task_instances()}}
with create_session() as session:
    keys = [list(row) for row in session.execute(select(XComModel.task_id, XComModel.key))]
    fields = dict(tuple(r) for r in session.execute(select(Rendered.task_id, Rendered.rendered_fields)))
print(json.dumps([str(run.state), states, keys, fields]))
"""  # noqa: E501


def _models(home: Path) -> Path:
    folder = home / "specs"
    folder.mkdir()
    content = MODEL.model_dump(mode="json", exclude_none=True)
    (folder / "churn.yaml").write_text(yaml.safe_dump(content))
    return folder


def _ran(home: Path, code: str, **values: Any) -> Any:
    return json.loads(python(home, _models(home), code, **values).splitlines()[-1])


def test_no_task_of_the_monitor_but_the_one_that_starts_runs_has_templates(tmp_path: Path) -> None:
    fields = _ran(tmp_path, LISTED)
    assert fields.pop("propose") != []
    assert set(fields) >= {"validate", "measure", "judge"}
    assert not any(fields.values())


def test_a_run_renders_no_template_and_what_it_skips_leaves_no_xcom(tmp_path: Path) -> None:
    """Each would be a request to the API server, and a row that nobody reads."""
    state, states, keys, fields = _ran(tmp_path, RUN, conf={"window": "2026-01-03"})
    ran = dict.fromkeys(("validate", "measure", "judge"), "success")
    assert (state, states) == ("success", ran | {"propose": "skipped"})
    assert {key.partition("_")[0] for _, key in keys} == {"link"}  # of buttons: Airflow's own
    assert not any(fields.values())

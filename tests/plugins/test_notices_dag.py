"""The DAG that tells people, in a real Airflow of its own, and what starts it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.asked import Asked, asked_in
from tests.support.flow import MODEL
from tests.support.in_airflow import python
from tests.support.sink import SECRET, Sink, sink

LISTED = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r}, bundle_path=None)
tells = {{
    d.dag_id: sorted(t.task_id for t in d.tasks if any(o.name == "gatelatch.happened" for o in t.outlets))
    for d in bag.dags.values()
}}
print(json.dumps([tells, bag.import_errors]))
"""  # noqa: E501
RUN = """
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
dag = DagBag({dags!r}).dags["gatelatch.notices"]
run = dag.test()
print("STATE", run.state, *(ti.state for ti in run.get_task_instances()))
"""

HIDDEN = """
import os
os.environ["OWN_PASSWORD"] = {secret!r}
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.log import redact
DagBag({dags!r} + "/notices.py", bundle_path=None)
print("LOGGED", redact("no answer from " + {secret!r}))
"""


def _listed(home: Path, **parts: Any) -> Any:
    models = home / "specs"
    models.mkdir(exist_ok=True)
    content = MODEL.model_dump(mode="json", exclude_none=True) | parts
    (models / "churn.yaml").write_text(yaml.safe_dump(content))
    tells, errors = json.loads(python(home, models, LISTED).splitlines()[-1])
    assert errors == {}
    return tells


def test_without_a_channel_in_any_spec_there_is_no_dag_that_tells(tmp_path: Path) -> None:
    tells = _listed(tmp_path)
    assert "gatelatch.notices" not in tells
    assert not any(tells.values())


def test_whatever_may_have_something_to_tell_starts_the_dag_that_tells(tmp_path: Path) -> None:
    assert _listed(tmp_path, notify={"owners": "info"}) == {
        "gatelatch.notices": [],
        "monitor.churn": ["judge"],
        "retrain.churn": [
            "decide_promote",
            "decide_retrain",
            "gate",
            "promote",
            "propose",
            "register",
        ],
        "rollback.churn": ["promote_back", "verify"],
    }


@pytest.fixture
def webhook() -> Any:
    with sink() as here:
        yield here


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook: Sink) -> Asked:
    place = asked_in(tmp_path, monkeypatch, {"owners": webhook.url}, {"owners": "info"})
    place.ask()
    return place


def test_the_dag_tells_what_is_due_with_airflows_own_address(asked: Asked, webhook: Sink) -> None:
    said = python(asked.folder, asked.folder / "models", RUN)
    assert "STATE success success" in said
    (message,) = webhook.got
    assert message["title"].endswith("churn: you are asked to retrain")
    assert "http://127.0.0.1:" in message["message"].splitlines()[-3]
    assert SECRET not in said


def test_a_channel_that_fails_makes_the_task_skipped_and_the_log_names_it(
    asked: Asked, webhook: Sink
) -> None:
    webhook.answer = 500
    said = python(asked.folder, asked.folder / "models", RUN)
    assert "STATE success skipped" in said
    assert "churn: channel owners was not told: it answered 500" in said
    assert SECRET not in said


def test_channels_may_stand_in_a_connection_of_airflow(
    asked: Asked, webhook: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATELATCH_CHANNELS")
    connection = {"conn_type": "generic", "extra": {"owners": webhook.url}}
    monkeypatch.setenv("AIRFLOW_CONN_GATELATCH_CHANNELS", json.dumps(connection))
    assert "STATE success success" in python(asked.folder, asked.folder / "models", RUN)
    assert len(webhook.got) == 1


def test_without_any_channels_the_log_says_which_one_has_no_url(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATELATCH_CHANNELS")
    said = python(asked.folder, asked.folder / "models", RUN)
    assert "STATE success skipped" in said
    assert "channel owners: no URL is set for it" in said


def test_the_file_of_the_dag_that_tells_hides_secrets_in_its_logs_by_itself(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    said = python(tmp_path, tmp_path / "specs", HIDDEN, secret="wholly-unknown-word")
    assert said.splitlines()[-1] == "LOGGED no answer from ***"

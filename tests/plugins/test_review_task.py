"""The monitor's task that chooses rows for review, in a real Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from tasks.flows import review_queue
from tasks.spec.model import ModelSpec
from tests.support import flow
from tests.support.in_airflow import RUN, python


def test_a_run_of_the_monitor_chooses_rows_and_its_log_holds_none(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    begin = flow.beginning(tmp_path_factory.getbasetemp() / "stages", tmp_path, monkeypatch)
    raw = {**flow.SPEC, "review": {"at_most": 30, "columns": ["x"]}}
    models = tmp_path / "specs"
    models.mkdir()
    (models / "churn.yaml").write_text(yaml.safe_dump(raw))
    begin("promoted")
    flow.land(12, y=pa.nulls(300, pa.int64()))
    ended = python(Path.cwd(), models, RUN, dag="monitor.churn", conf={"window": "2026-01-12"})
    assert "STATE success" in ended
    assert "churn v2 20260112T0000: 30 of 300 rows without a label are to be reviewed" in ended
    assert flow.MARKER not in ended
    (path,) = review_queue.queues_of(ModelSpec.model_validate(raw))
    assert len(review_queue.read_queue(path).rows) == 30
    assert flow.read().observations[-1].window == flow.window(12)

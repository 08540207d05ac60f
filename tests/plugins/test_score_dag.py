"""The score DAG in a real Airflow: what schedules it, and a run of it before the monitor's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.support.flow import At, beginning, read
from tests.support.in_airflow import RUN, python
from tests.support.scored import SCORED

SCHEDULES = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r}, bundle_path=None)
def named(condition):
    parts = getattr(condition, "objects", None)
    if parts is None:
        own = getattr(condition, "uri", None) or getattr(condition, "name", None)
        return [own] if own else []
    return sorted(name for part in parts for name in named(part))
told = {{
    d.dag_id: [type(d.timetable).__name__, named(getattr(d.timetable, "asset_condition", None))]
    for d in bag.dags.values()
}}
print(json.dumps([told, bag.import_errors]))
"""
# What `scoring.on` names, and what then starts the DAG.
ON = {
    "each": (["window"], "WindowTimetable", []),
    "landed": (["landing"], "AssetTriggeredTimetable", ["lake"]),
    "promoted": (["champion"], "AssetTriggeredTimetable", ["gatelatch://promoted/champion"]),
    "any": (
        ["window", "landing", "champion"],
        "AssetOrTimeSchedule",
        ["gatelatch://any/champion", "lake"],
    ),
}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "churn.yaml").write_text(yaml.safe_dump(SCORED))
    return folder


@pytest.fixture
def at(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", tmp_path, monkeypatch)


def test_it_is_scheduled_by_what_the_spec_names(tmp_path: Path, models: Path) -> None:
    source = {**SCORED["source"], "asset": "lake"}
    for name, (on, _, _) in ON.items():
        raw = {**SCORED, "model": name, "source": source, "scoring": {"path": "scores", "on": on}}
        (models / f"{name}.yaml").write_text(yaml.safe_dump(raw))
    dags, errors = json.loads(python(tmp_path, models, SCHEDULES).splitlines()[-1])
    assert errors == {}
    for name, (_, kind, assets) in ON.items():
        assert dags[f"score.{name}"] == [kind, assets]
        # The monitor waits for the scores, and no longer for the rows.
        assert dags[f"monitor.{name}"] == ["AssetOrTimeSchedule", [f"gatelatch://{name}/scores"]]


def test_a_window_is_scored_and_then_measured_by_its_scores(at: At, models: Path) -> None:
    at("promoted")
    conf = {"window": "2026-01-12"}
    ended = python(Path.cwd(), models, RUN, dag="score.churn", conf=conf)
    assert "STATE success" in ended
    assert "churn v2 [2026-01-12 00:00, 2026-01-13 00:00): 300 rows scored" in ended
    assert "marker" not in ended
    (file,) = Path("scores").rglob("*.parquet")
    assert pq.read_metadata(file).num_rows == 300
    assert "STATE success" in python(Path.cwd(), models, RUN, dag="monitor.churn", conf=conf)
    seen = read().observations[-1]
    assert seen.window.start.day == 12
    assert seen.numbers.scored_by is not None
    assert seen.numbers.scored_by.versions == {2: 300}


def test_before_the_first_champion_the_run_is_skipped_and_says_why(at: At, models: Path) -> None:
    at("promoted")
    ended = python(Path.cwd(), models, RUN, dag="score.churn", conf={"window": "2026-01-02"})
    assert "train the first one: trigger retrain.churn" in ended
    assert not Path("scores").exists()

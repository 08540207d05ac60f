"""The DAG files in a real Airflow of their own: parsing, and single runs through `dag.test()`.

Each test starts a fresh interpreter, as Airflow reads its settings on import.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ops import stack
from tasks.ledger import Ledger
from tests.flow import MODEL, At, beginning, day, read, rows
from tests.forging import forge

PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r}, bundle_path=None)
heavy = {{"pandas", "sklearn", "mlflow", "great_expectations", "skops", "scipy", "numpy", "duckdb"}}
chains = {{d.dag_id: [t.task_id for t in d.topological_sort()] for d in bag.dags.values()}}
print(json.dumps([chains, bag.import_errors, sorted(heavy & set(sys.modules))]))
"""
RUN = """
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
dag = DagBag({dags!r}).dags[{dag!r}]
print("STATE", dag.test(run_conf={conf!r}).state)
"""


def _python(home: Path, models: Path, code: str, **values: Any) -> str:
    settings = stack.settings_of(home, models)
    env = stack.environment(home, settings)
    env |= {"GATELATCH_STORE": "store", "GATELATCH_LEDGER": "sqlite:///ledger.db"}
    env |= {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    env |= {"GATELATCH_SIGNING_KEY": os.environ["GATELATCH_SIGNING_KEY"]}  # who signed the stages
    (home / "airflow").mkdir(exist_ok=True)
    code = code.format(dags=str(stack.ROOT / "dags"), **values)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    spec = yaml.safe_dump(MODEL.model_dump(mode="json", exclude_none=True))
    (folder / "churn.yaml").write_text(spec)
    return folder


@pytest.fixture
def late_models(models: Path) -> Path:
    label = MODEL.label.model_dump(mode="json", exclude_none=True)
    _change(models, label={**label, "delay": "2d", "source": {"path": "labels/{date}.parquet"}})
    return models


def _change(models: Path, **parts: Any) -> None:
    spec = yaml.safe_load((models / "churn.yaml").read_text())
    (models / "churn.yaml").write_text(yaml.safe_dump(spec | parts))


def _parsed(home: Path, models: Path) -> Any:
    return json.loads(_python(home, models, PARSE).splitlines()[-1])


def test_each_model_gets_its_three_dags_and_parsing_loads_nothing_heavy(
    tmp_path: Path, models: Path
) -> None:
    chains, errors, heavy = _parsed(tmp_path, models)
    assert errors == {}
    assert heavy == []
    assert chains["monitor.churn"] == ["validate", "measure", "judge", "propose"]
    assert chains["retrain.churn"] == [
        "propose",
        "approve_retrain",
        "decide_retrain",
        "train",
        "calibrate",
        "gate",
        "register",
        "approve_promote",
        "decide_promote",
        "promote",
        "end",
    ]
    assert chains["rollback.churn"] == ["verify", "promote_back", "end"]


def test_where_labels_come_late_windows_are_measured_again_before_anything_is_proposed(
    tmp_path: Path, late_models: Path
) -> None:
    chains, errors, heavy = _parsed(tmp_path, late_models)
    assert (errors, heavy) == ({}, [])
    assert chains["monitor.churn"] == ["validate", "measure", "judge", "relabel", "propose"]


def test_a_spec_with_shadow_windows_waits_for_them_before_anybody_is_asked_to_promote(
    tmp_path: Path, models: Path
) -> None:
    _change(models, shadow={"windows": 3})
    chains, errors, heavy = _parsed(tmp_path, models)
    assert (errors, heavy) == ({}, [])
    assert chains["retrain.churn"][-6:] == [
        "register",
        "shadow",
        "approve_promote",
        "decide_promote",
        "promote",
        "end",
    ]


@pytest.mark.parametrize(
    ("decides", "chain"),
    [
        ("human", ["verify", "approve_rollback", "promote_back", "end"]),
        ("automatic", ["verify", "promote_back", "end"]),
    ],
)
def test_where_versions_are_logged_a_rollback_asks_unless_the_spec_says_automatic(
    tmp_path: Path, models: Path, decides: str, chain: list[str]
) -> None:
    source = MODEL.source.model_dump(mode="json", exclude_none=True)
    _change(models, source={**source, "version_column": "by"}, approval={"rollback": decides})
    chains, errors, heavy = _parsed(tmp_path, models)
    assert (errors, heavy) == ({}, [])
    assert chains["rollback.churn"] == chain


def test_a_spec_with_a_mistake_is_an_import_error_of_a_file_of_its_own(
    tmp_path: Path, models: Path
) -> None:
    (models / "bad.yaml").write_text("model: bad\nlatch: {rest: soon}\n")
    chains, errors, _ = _parsed(tmp_path, models)
    assert set(chains) == {"monitor.churn", "retrain.churn", "rollback.churn"}
    (told,) = errors.values()
    assert "latch.rest: 'soon': write a whole number and a unit" in told


def test_a_window_before_the_first_champion_points_to_the_bootstrap(
    tmp_path: Path, models: Path
) -> None:
    ended = _python(tmp_path, models, RUN, dag="monitor.churn", conf={"window": "2026-01-03"})
    assert "STATE success" in ended
    assert "retrain.churn with reason 'bootstrap'" in ended


def test_a_monitor_run_observes_its_window(
    models: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("bootstrapped")
    conf = {"window": "2026-01-06T12:00:00"}
    ended = _python(Path.cwd(), models, RUN, dag="monitor.churn", conf=conf)
    assert "STATE success" in ended
    assert "churn v1 [2026-01-06 00:00, 2026-01-07 00:00): steady" in ended


def test_the_monitor_of_a_forged_ledger_fails_at_once_and_says_which_row(
    models: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("bootstrapped")
    row = {"number": 2, "proposal": "x", "version": 2, "expected": 1, "by": "x", "reason": "x"}
    forge(Ledger.open(), "promotions", model="churn", effective_from=day(40), **row)
    conf = {"window": "2026-01-06T12:00:00"}
    ended = _python(Path.cwd(), models, RUN, dag="monitor.churn", conf=conf)
    assert "STATE failed" in ended
    assert "the ledger of churn is refused: row 2 of promotions (link 8) is not signed" in ended
    assert "UP_FOR_RETRY" not in ended.upper()
    assert Ledger.open().history("churn") == []


def test_a_rollback_by_hand_asks_nobody_else_and_moves_the_champion_back(
    models: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("promoted")
    source = MODEL.source.model_dump(mode="json", exclude_none=True)
    _change(models, source={**source, "version_column": "by"})  # so there is a task that asks
    ended = _python(
        Path.cwd(), models, RUN, dag="rollback.churn", conf={"reason": "many complaints"}
    )
    assert "STATE success" in ended
    assert "decided already; nobody is asked again" in ended
    (*_, last) = read().promotions
    assert (last.version, last.expected, last.reason) == (1, 2, "rollback: many complaints")


def test_a_run_measures_the_windows_again_whose_labels_have_come(
    late_models: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("bootstrapped")
    first = _python(
        Path.cwd(), late_models, RUN, dag="monitor.churn", conf={"window": "2026-01-06T12:00:00"}
    )
    assert "STATE success" in first
    assert "; revision" not in first
    Path("labels").mkdir()
    labels = {name: rows(6)[name] for name in ("id", "y")}
    pq.write_table(pa.table(labels), "labels/2026-01-07.parquet")
    third = _python(
        Path.cwd(), late_models, RUN, dag="monitor.churn", conf={"window": "2026-01-08T12:00:00"}
    )
    assert "STATE success" in third
    again = "churn v1 [2026-01-06 00:00, 2026-01-07 00:00): steady, within its limits; revision 1"
    assert again in third

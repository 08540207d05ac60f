"""The DAG files in a real Airflow of their own: parsing, and single runs through `dag.test()`.

Each test starts a fresh interpreter, as Airflow reads its settings on import.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tasks.ledger.ledger import Ledger
from tests.support.flow import MODEL, At, beginning, day, read, rows
from tests.support.forging import forge
from tests.support.in_airflow import RUN, python

PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r}, bundle_path=None)
heavy = {{"pandas", "sklearn", "mlflow", "great_expectations", "skops", "scipy", "numpy", "duckdb"}}
chains = {{d.dag_id: [t.task_id for t in d.topological_sort()] for d in bag.dags.values()}}
print(json.dumps([chains, bag.import_errors, sorted(heavy & set(sys.modules))]))
"""


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
    return json.loads(python(home, models, PARSE).splitlines()[-1])


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
    assert chains["rollback.churn"] == ["verify", "approve_rollback", "promote_back", "end"]


def test_the_process_of_a_task_makes_the_dag_of_its_own_model_alone(
    tmp_path: Path, models: Path
) -> None:
    (models / "bad.yaml").write_text("model: bad\n")
    other = yaml.safe_load((models / "churn.yaml").read_text()) | {"model": "other"}
    (models / "other.yaml").write_text(yaml.safe_dump(other))
    asked = "import os; os.environ['_AIRFLOW_PARSING_CONTEXT_DAG_ID'] = 'monitor.other'\n"
    one = json.loads(python(tmp_path, models, asked + PARSE).splitlines()[-1])[0]
    assert {dag for dag in one if dag.startswith("monitor.")} == {"monitor.other"}


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
def test_a_rollback_asks_unless_the_spec_says_automatic(
    tmp_path: Path, models: Path, decides: str, chain: list[str]
) -> None:
    _change(models, approval={"rollback": decides})
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
    ended = python(tmp_path, models, RUN, dag="monitor.churn", conf={"window": "2026-01-03"})
    assert "STATE success" in ended
    assert "retrain.churn with reason 'bootstrap'" in ended


def test_a_monitor_run_observes_its_window(
    models: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("bootstrapped")
    conf = {"window": "2026-01-06T12:00:00"}
    ended = python(Path.cwd(), models, RUN, dag="monitor.churn", conf=conf)
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
    ended = python(Path.cwd(), models, RUN, dag="monitor.churn", conf=conf)
    assert "STATE failed" in ended
    assert "the ledger of churn is refused: row 2 of promotions (link 8) is not signed" in ended
    assert "UP_FOR_RETRY" not in ended.upper()
    assert Ledger.open().history("churn") == []


def test_a_rollback_by_hand_asks_nobody_else_and_moves_the_champion_back(
    models: Path, stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    at: At = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    at("promoted")
    ended = python(
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
    first = python(
        Path.cwd(), late_models, RUN, dag="monitor.churn", conf={"window": "2026-01-06T12:00:00"}
    )
    assert "STATE success" in first
    assert "; revision" not in first
    Path("labels").mkdir()
    labels = {name: rows(6)[name] for name in ("id", "y")}
    pq.write_table(pa.table(labels), "labels/2026-01-07.parquet")
    third = python(
        Path.cwd(), late_models, RUN, dag="monitor.churn", conf={"window": "2026-01-08T12:00:00"}
    )
    assert "STATE success" in third
    again = "churn v1 [2026-01-06 00:00, 2026-01-07 00:00): steady, within its limits; revision 1"
    assert again in third


UNMADE = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions import dag
dag.TAG_MAX_LEN = 10
bag = DagBag({dags!r}, bundle_path=None)
print(json.dumps([sorted(bag.dags), bag.import_errors]))
"""


def test_a_model_of_which_airflow_makes_no_dag_is_said_and_costs_no_other_one(
    tmp_path: Path, models: Path
) -> None:
    """As if a later Airflow took shorter tags than the specs' own bounds promise."""
    raw = yaml.safe_load((models / "churn.yaml").read_text())
    (models / "much_too_long.yaml").write_text(yaml.safe_dump(raw | {"model": "much_too_long"}))
    dags, errors = json.loads(python(tmp_path, models, UNMADE).splitlines()[-1])
    assert dags == ["monitor.churn", "retrain.churn", "rollback.churn"]
    ((file, told),) = errors.items()
    assert file.endswith("spec_mistakes.py")
    assert f"{models / 'much_too_long.yaml'}: Airflow cannot make a DAG of it (ValueError: " in told
    assert told.count("much_too_long.yaml") == 1
    assert "churn.yaml" not in told


FORMS = """
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
for dag, conf in {forms!r}:
    print("STATE", bag.dags[dag].test(run_conf=conf).state)
from tasks.ledger.ledger import Ledger
print("LEDGER", Ledger.open().proposals("churn"))
"""
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("retrain", {"until": "9999-12-28"}, "until 9999-12-28: outside 1700-01-01 … 2199-12-31"),
    ("retrain", {"until": "0001-01-01"}, "until 0001-01-01: outside 1700-01-01 … 2199-12-31"),
    ("retrain", {"until": "2199-01-01T00:00:00Z"}, "until 2199-01-01 00:00 UTC lies in the future"),
    ("retrain", {"until": "soon"}, "until soon: no date; write one such as 2026-01-31"),
    ("retrain", {"training_window": "999999999w"}, "training_window 999999999w: longer than a hu"),
    ("retrain", {"training_window": "0d"}, "training_window 0d: shorter than a minute"),
    ("monitor", {"window": "9999-12-31"}, "window 9999-12-31: outside 1700-01-01 … 2199-12-31"),
    ("monitor", {"propose": "1700-01-01/2199-12-31"}, "holds 182621 windows of 1d; take a range"),
    ("monitor", {"propose": "2026-01-01/2026-13-01"}, "is no range (no date; write one such as"),
]


def test_a_form_beyond_the_bounds_ends_at_once_with_a_sentence_and_nothing_is_recorded(
    tmp_path: Path, models: Path
) -> None:
    forms = [(f"{flow}.churn", conf) for flow, conf, _ in REFUSED]
    told = python(tmp_path, models, FORMS, forms=forms)
    assert told.count("STATE failed") == len(REFUSED)
    assert [reason for _, _, reason in REFUSED if reason not in told] == []
    assert "UP_FOR_RETRY" not in told
    assert told.splitlines()[-1] == "LEDGER []"


PARAMS = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
for dag, name, value in {forms!r}:
    try:
        bag.dags[dag].params.get_param(name).resolve(value)
        print("TAKEN", dag, name)
    except Exception as error:
        print("REFUSED", type(error).__name__)
"""


def test_the_forms_schema_refuses_what_no_ledger_holds(tmp_path: Path, models: Path) -> None:
    """What REST answers with 400: a JSON schema knows lengths and numbers, and no dates."""
    forms = [
        ("retrain.churn", "training_window", "9" * 10 + "w"),
        ("retrain.churn", "training_window", "٣d"),
        ("retrain.churn", "until", "2026-01-01" + " " * 200),
        ("retrain.churn", "until", 20260101),
        ("retrain.churn", "backfill", "x" * 101),
        ("monitor.churn", "model_version", 2**31),
        ("monitor.churn", "model_version", 0),
        ("monitor.churn", "window", "2" * 101),
        ("monitor.churn", "propose", f"2026-01-01/2026-01-02{'x' * 100}"),
        ("rollback.churn", "version", 2**31),
        ("rollback.churn", "reason", "x" * 2001),
    ]
    told = python(tmp_path, models, PARAMS, forms=forms).splitlines()
    lines = [line for line in told if line.startswith(("TAKEN", "REFUSED"))]
    assert lines == ["REFUSED ParamValidationError"] * len(forms)


EMPTY = """
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
for name, dag in bag.dags.items():
    for field in dag.params:
        param = dag.params.get_param(field)
        if (not param.has_value or param.value == "") and "null" not in param.schema["type"]:
            print("NEEDED", name, field)
print("DAGS", *bag.dags)
"""


def test_each_form_can_be_sent_as_it_opens_but_for_the_reason_to_go_back(
    tmp_path: Path, models: Path
) -> None:
    """Airflow's form keeps its button shut while a text is empty that may not be null."""
    source = MODEL.source.model_dump(mode="json", exclude_none=True)
    _change(
        models,
        source={**source, "margin": "margin", "version_column": "by"},
        scoring={"path": "scores"},
    )
    told = python(tmp_path, models, EMPTY).splitlines()
    flows = {f"{flow}.churn" for flow in ("monitor", "retrain", "rollback", "score")}
    assert flows <= {*next(line for line in told if line.startswith("DAGS")).split()}
    assert [line for line in told if line.startswith("NEEDED")] == ["NEEDED rollback.churn reason"]

"""The retrain DAG of a model that never comes here, run by an Airflow of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.flows.handed_margins import keep_margins
from tasks.flows.owner_evidence import evidence_for_owner
from tests.support.flow import At
from tests.support.in_airflow import RUN, python
from tests.support.logged import LOGGED, RAW, beginning, handed, read


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "logged", stores, monkeypatch)


def specs(folder: Path, **training: str) -> Path:
    raw = RAW | {"approval": {"retrain": "automatic", "promote": "automatic"}}
    raw |= {"training": RAW["training"] | training}
    (folder / "specs").mkdir()
    (folder / "specs" / "churn.yaml").write_text(yaml.safe_dump(raw))
    return folder / "specs"


def test_a_run_of_the_dag_makes_a_candidate_champion_that_is_known_by_its_margins(
    at: At, tmp_path: Path
) -> None:
    at("drifted")
    handed("trees-2", 9, 10).to_parquet("margins.parquet")
    digest = keep_margins(LOGGED, "trees-2", Path("margins.parquet"))
    conf = {"action": "adopt", "model_file": digest, "until": "2026-01-11"}
    told = python(Path.cwd(), specs(tmp_path), RUN, dag="retrain.churn", conf=conf)
    assert "STATE success" in told, told[-3000:]
    assert read().champion == 2
    assert evidence_for_owner(LOGGED, read().proposals[-1].proposal) is None


def test_an_approved_retrain_whose_owners_dag_is_missing_says_so_and_can_be_cleared(
    at: At, tmp_path: Path
) -> None:
    at("drifted")
    models = specs(tmp_path, dag="train_trees")
    told = python(Path.cwd(), models, RUN, dag="retrain.churn", conf={"until": "2026-01-11"})
    assert "STATE failed" in told, told[-3000:]
    ended = read().decisions[-1]
    assert (ended.step, ended.answer) == ("train", "failed")
    assert "The DAG train_trees is started for it" in ended.comment
    evidence = evidence_for_owner(LOGGED, ended.proposal)
    assert evidence is not None
    assert [w["verdict"] for w in evidence["windows"]] == ["steady"] * 3 + ["drifting"] * 2
    assert (evidence["champion"], evidence["approved_by"]) == (1, "policy")

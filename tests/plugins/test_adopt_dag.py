"""The retrain DAG with a pipeline that was fit elsewhere, run by an Airflow of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from sklearn.svm import SVC

from tasks.flows.handed_in import keep_handed_in
from tests.flows.test_adopt import saved, taught
from tests.support.flow import MODEL, At, beginning, read
from tests.support.in_airflow import RUN, python


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def specs(folder: Path, **training: str) -> Path:
    spec = MODEL.model_dump(mode="json", exclude_none=True)
    spec["approval"] = {"retrain": "automatic", "promote": "automatic"}
    spec["training"] |= training
    (folder / "specs").mkdir()
    (folder / "specs" / "churn.yaml").write_text(yaml.safe_dump(spec))
    return folder / "specs"


def test_a_run_of_the_dag_makes_what_was_handed_in_champion(at: At, tmp_path: Path) -> None:
    at("drifted")
    digest = keep_handed_in(MODEL, saved(taught(SVC(), 9, 10)).read_bytes(), "theirs")
    conf = {"action": "adopt", "model_file": digest, "until": "2026-01-11"}
    told = python(Path.cwd(), specs(tmp_path), RUN, dag="retrain.churn", conf=conf)
    assert "STATE success" in told, told[-3000:]
    known = read()
    assert (known.champion, known.proposals[-1].kind) == (2, "adopt")
    assert digest in known.promotions[-1].reason


def test_a_run_for_a_model_that_is_trained_elsewhere_says_so_and_fails_nowhere(
    at: At, tmp_path: Path
) -> None:
    at("drifted")
    models = specs(tmp_path, estimator="external")
    told = python(Path.cwd(), models, RUN, dag="retrain.churn", conf={"until": "2026-01-11"})
    assert "STATE success" in told, told[-3000:]
    ended = read().decisions[-1]
    assert (ended.step, ended.answer) == ("train", "failed")
    assert "python -m tasks adopt churn FILE" in ended.comment

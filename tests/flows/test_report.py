"""The report on a real flow: model cards of verified files, MLflow away, and no row anywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.registry import tracking
from tests.support.flow import FIRST, MARKER, MODEL, OUTLIER, STRANGE, At, beginning
from tests.support.terminal import run


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    begin = beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "models"))
    (stores / "models").mkdir()
    text = yaml.safe_dump(MODEL.model_dump(mode="json", exclude_unset=True))
    (stores / "models" / "churn.yaml").write_text(text)
    return begin


def _page(*words: str) -> str:
    done = run("report", "churn", "-o", "r.html", *words)
    assert done.exit_code == 0, done.stderr
    return Path("r.html").read_text()


def test_a_promotion_is_told_with_its_evidence_its_gates_and_the_card_of_its_version(
    at: At,
) -> None:
    at("promoted")
    page = _page()
    assert "<b>The ledger stands:</b>" in page
    assert FIRST in page
    assert "Version 2 is champion for windows from 2026-01-11 on." in page
    assert page.count("Model card, of files whose signature and digest hold") == 2
    assert page.count("<h5>Intended use</h5>") == 2
    assert "hinge loss" in page
    evidence = re.findall(r"<code>([0-9a-f]{64})</code>", page)
    assert len(set(evidence)) >= 6  # of four answers, two artifacts


def test_no_row_of_the_data_is_in_a_report(at: At) -> None:
    at("promoted")
    page = _page("--from", "2026-01-01")
    assert [v for v in (MARKER, str(OUTLIER), str(STRANGE)) if v in page] == []


def test_a_report_without_mlflow_names_it_and_goes_on_with_what_the_ledger_has(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("promoted")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracking.connect.cache_clear()
    page = _page()
    tracking.connect.cache_clear()
    assert page.count("MLflow does not answer") >= 2
    assert "the heads in MLflow" in page
    assert "Metrics on the newest rows" in page


def test_a_version_that_mlflow_does_not_hold_any_more_has_no_card_and_the_others_have(
    at: At,
) -> None:
    at("promoted")
    tracking.connect().delete_model_version("churn", "1")
    page = _page()
    assert "No model card: churn version 1 cannot be fetched" in page
    assert page.count("Model card, of files whose signature and digest hold") == 1

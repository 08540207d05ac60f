"""A folder of specs with a healthy one in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import CHURN


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "churn.yaml").write_text(yaml.safe_dump(CHURN))
    monkeypatch.setenv("GATELATCH_MODELS", str(tmp_path))
    return tmp_path

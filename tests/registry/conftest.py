"""MLflow in SQLite and in PostgreSQL, and a candidate to register there."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.registry import tracking
from tasks.spec.model import ModelSpec
from tests.conftest import mlflow_in_postgres
from tests.support.candidates import calibrated


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    with mlflow_in_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def tracked(
    request: pytest.FixtureRequest,
    stores: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return the folder of stores of its own, with MLflow's tables already there."""
    if request.param == "postgresql":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("database"))
        tracking.prepare_store()
        return stores
    tables = tmp_path_factory.getbasetemp() / "mlflow.db"
    if not tables.exists():
        tracking.prepare_store()
        shutil.copy(stores / "mlflow.db", tables)
    shutil.copy(tables, stores / "mlflow.db")
    return stores


@pytest.fixture
def plain(spec: Callable[..., ModelSpec]) -> tuple[ModelSpec, Any]:
    """Return a spec under a name of its own, and a candidate."""
    own = spec(model=f"churn_{uuid.uuid4().hex[:8]}")
    return own, calibrated(own)[0]

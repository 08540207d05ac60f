"""The kept store of an earlier release, unpacked where a test may go on with it."""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.registry import registry, tracking

from .make_store import HERE

PACKED = Path(__file__).with_name("release-0.1.0.tar.xz")


def unpack(folder: Path, kind: str) -> Path:
    """Unpack everything, and return the folder of the stores on SQLite or PostgreSQL."""
    with tarfile.open(PACKED) as packed:
        packed.extractall(folder, filter="data")
    place = folder / kind
    with closing(sqlite3.connect(place / "mlflow.db")) as link:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("model_versions", "source"),
            ("model_versions", "storage_location"),
        ):
            link.execute(
                f"update {table} set {column} = replace({column}, ?, ?)", (HERE, str(folder))
            )
        link.commit()
    return place


def restore(url: str, place: Path) -> None:
    """Load a dumped ledger into an empty database."""
    engine = sa.create_engine(url)
    with engine.begin() as link:
        link.exec_driver_sql((place / "ledger.sql").read_text().replace("%", "%%"))
    engine.dispose()


def enter(patch: pytest.MonkeyPatch, folder: Path, place: Path, url: str) -> None:
    """Point this process at the unpacked stores, with the keys that signed them."""
    patch.chdir(folder)
    named: dict[str, Any] = {
        "GATELATCH_LEDGER": url,
        "GATELATCH_STORE": place / "store",
        "GATELATCH_ARTIFACTS": place / "artifacts",
        "GATELATCH_MODELS": folder / "models",
        "GATELATCH_SIGNING_KEY": folder / "keys/signing.pem",
        "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
        "GATELATCH_MLFLOW_UI": "https://mlflow.example/ui/",
    }
    for name, value in named.items():
        patch.setenv(name, str(value))
    tracking.connect.cache_clear()
    registry.load_version.cache_clear()

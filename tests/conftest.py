"""What several test modules share: a spec to vary, and stores of their own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tasks.ledger.ledger import Ledger
from tasks.spec.model import ModelSpec
from tests.support.again import write_again

pytest_plugins = ["tests.fast", "tests.together"]

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"

CHURN: dict[str, Any] = {
    "model": "churn",
    "owner": {"name": "team", "approvers": ["ada"]},
    "source": {"path": "unused", "time": "time", "key": "id"},
    "window": {"every": "1d", "start": "2026-01-01", "min_rows": 50},
    "features": {"numeric": ["x", "z"]},
    "label": {"column": "y", "classes": [0, 1]},
    "training": {"window": "5d"},
}


@pytest.fixture
def spec() -> Callable[..., ModelSpec]:
    """Return a spec; keywords replace its parts, and mappings are merged one level deep."""

    def make(**parts: Any) -> ModelSpec:
        raw = dict(CHURN)
        for name, value in parts.items():
            old = raw.get(name)
            raw[name] = (
                {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
            )
        return ModelSpec.model_validate(raw)

    return make


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the ledger, the store and MLflow at this test's own folder, and return it."""
    from tasks.registry import registry, tracking

    monkeypatch.setenv("GATELATCH_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("GATELATCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("GATELATCH_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    tracking.connect.cache_clear()
    registry.load_version.cache_clear()
    return tmp_path


@pytest.fixture(scope="session", autouse=True)
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Sign with one key of the session's own, and return where its private part is."""
    from tasks.signing import keyring

    with pytest.MonkeyPatch.context() as patch:
        key = tmp_path_factory.getbasetemp() / "keys" / "signing.pem"
        patch.setenv("GATELATCH_SIGNING_KEY", str(key))
        patch.delenv("GATELATCH_VERIFY_KEY", raising=False)
        keyring.create_keys()
        yield key


@contextmanager
def _in_postgres(kind: str, name: str, drop: str) -> Iterator[None]:
    """Have a schema or database of that name in PostgreSQL for a while."""
    admin = sa.create_engine(
        POSTGRES,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 3, "options": "-csynchronous_commit=off"},
    )
    try:
        with admin.connect() as link:
            link.execute(sa.text(f"create {kind} {name}"))
    except sa.exc.OperationalError:
        pytest.skip(f"PostgreSQL does not answer at {POSTGRES}")
    yield
    with admin.connect() as link:
        link.execute(sa.text(f"drop {kind} {name} {drop}"))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: Any, tmp_path: Any) -> Iterator[str]:
    """Return the URL of an empty place for a ledger; in PostgreSQL a schema, dropped afterwards."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    schema = f"ledger_{uuid4().hex[:12]}"
    with _in_postgres("schema", schema, "cascade"):
        # No ledger of a test must outlive a power cut: do not wait for the disk.
        yield f"{POSTGRES}?options=-csearch_path%3D{schema}%20-csynchronous_commit%3Doff"


@contextmanager
def database_in_postgres(kind: str, driver: str) -> Iterator[str]:
    """Yield the address of an empty database in PostgreSQL, dropped in the end."""
    name = f"{kind}_{uuid4().hex}"
    with _in_postgres("database", name, "with (force)"):
        yield f"postgresql+{driver}://postgres@127.0.0.1:5432/{name}"


@contextmanager
def mlflow_in_postgres() -> Iterator[str]:
    """Yield the address of an empty MLflow store in PostgreSQL, dropped in the end."""
    with database_in_postgres("mlflow", "psycopg2") as url:
        yield url


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url)
    write_again(ledger, Ledger.create)
    yield ledger
    ledger._engine.dispose()

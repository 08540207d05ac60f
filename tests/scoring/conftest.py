"""The played flow, and a promoted champion of several classes and kinds of features."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.flow import MODEL, At, beginning


@pytest.fixture
def at(stores: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    (stores / "specs").mkdir()
    spec = yaml.safe_dump(MODEL.model_dump(mode="json", exclude_none=True))
    (stores / "specs/churn.yaml").write_text(spec)
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "specs"))
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


@pytest.fixture
def without_ledger(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what takes the ledger and the private key away."""
    from tasks.signing import keyring

    def leave() -> None:
        public = keyring.public_paths()[0]
        monkeypatch.setenv("GATELATCH_VERIFY_KEY", str(public))
        monkeypatch.setenv("GATELATCH_SIGNING_KEY", "absent.pem")
        monkeypatch.delenv("GATELATCH_LEDGER")
        monkeypatch.setenv("GATELATCH_STORE", "absent")

    return leave

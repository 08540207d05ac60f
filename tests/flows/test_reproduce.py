"""A version trained again from its lineage is the same, or it is said what is no longer there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks.__main__ import app
from tests.support.flow import MODEL, At, beginning, land, rows


@pytest.fixture
def at(stores: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> At:
    (stores / "specs").mkdir()
    write(stores, {})
    monkeypatch.setenv("GATELATCH_MODELS", str(stores / "specs"))
    return beginning(tmp_path_factory.getbasetemp() / "stages", stores, monkeypatch)


def write(stores: Path, parts: dict[str, Any]) -> None:
    spec = MODEL.model_dump(mode="json", exclude_none=True) | parts
    (stores / "specs/churn.yaml").write_text(yaml.safe_dump(spec))


def reproduce(version: int) -> Result:
    return CliRunner().invoke(app, ["reproduce", "churn", str(version)])


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_trained_again_is_the_same_byte_for_byte(at: At, version: int) -> None:
    at("promoted")
    done = reproduce(version)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"churn version {version} is reproduced, byte for byte\n"


def test_changed_data_are_named_by_their_digest(at: At) -> None:
    at("promoted")
    land(10, x=-rows(10)["x"])
    done = reproduce(2)
    assert done.exit_code == 2
    assert "was trained on the data" in done.stderr
    assert " now" in done.stderr
    assert reproduce(1).exit_code == 0


def test_a_changed_spec_is_named_by_its_digest(at: At, stores: Path) -> None:
    at("promoted")
    write(stores, {"training": {"window": "2d", "seed": 8}})
    done = reproduce(2)
    assert done.exit_code == 2
    assert "was trained with the spec" in done.stderr


def test_an_unknown_version_is_named(at: At) -> None:
    at("promoted")
    done = reproduce(9)
    assert (done.exit_code, "no version 9" in done.stderr) == (2, True)
